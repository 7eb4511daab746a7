import { type ClientBase, DatabaseError, escapeIdentifier } from 'pg';
import { readSequences } from '../archive/catalog';
import { qualified } from '../archive/copy-session';
import type { ArchivedSequence } from '../archive/manifest';
import type { Deviations } from '../schema/apply/deviations';
import { archiveContradictsSchema } from './archive-errors';

const OUT_OF_RANGE = '22003';

/**
 * Sets the sequences to where the source's stood.
 *
 * @param ofExtensions sequences that extensions make; one that cannot be set is noted
 * @returns how many were set
 * @throws OperationError `archive_inconsistent` naming a sequence that the schema does not make, or that the archive lacks
 */
export async function restoreSequences(
  client: ClientBase,
  sequences: readonly ArchivedSequence[],
  ofExtensions: ReadonlySet<string>,
  deviations: Deviations,
): Promise<number> {
  const archived = new Set(sequences.map((sequence) => qualified(sequence)));
  const lacking = (await readSequences(client)).find((sequence) => !archived.has(qualified(sequence)));
  if (lacking) {
    throw archiveContradictsSchema(`Sequence ${lacking.schema}.${lacking.name} is missing from the archive`);
  }
  let restored = 0;
  for (const sequence of sequences) {
    const isForeign = ofExtensions.has(qualified(sequence));
    try {
      await setSequence(client, sequence);
      restored += 1;
    } catch (error) {
      if (!isForeign) throw error;
      deviations.add(`SEQUENCE ${sequence.schema}.${sequence.name}`, 'not set to its archived value', error);
    }
  }
  return restored;
}

interface OwnedSequence {
  readonly schema: string;
  readonly name: string;
  readonly tableSchema: string;
  readonly tableName: string;
  readonly column: string;
  readonly increment: string;
  /** The last number that it can issue, in its direction. */
  readonly last: string;
}

/** Sequences that number a column of integers, with it. One of a foreign table, or a view, is on rows that are elsewhere. */
const OWNED_SEQUENCES = `
  SELECT sn.nspname AS schema, s.relname AS name, tn.nspname AS "tableSchema", t.relname AS "tableName", a.attname AS column,
         q.seqincrement::text AS increment,
         CASE WHEN q.seqincrement > 0 THEN q.seqmax ELSE q.seqmin END::text AS last
  FROM pg_sequence q
    JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
  WHERE t.relkind IN ('r', 'p') AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND NOT q.seqcycle
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = s.oid AND e.deptype = 'e')
  ORDER BY sn.nspname, s.relname`;

/**
 * Sets forward each sequence that would issue a number which its column has already: the application would fail at its first
 * insertion. That the source was like this is no reason to restore it so, but is said. A column whose highest value is the
 * last that the sequence can issue holds a placeholder: there, the sequence is left as it was.
 */
export async function advanceSequences(client: ClientBase, deviations: Deviations): Promise<void> {
  const { rows: sequences } = await client.query<OwnedSequence>(OWNED_SEQUENCES);
  for (const sequence of sequences) {
    const state = await client.query<{ next: string; furthest: string | null }>(furthestQuery(sequence));
    const { next, furthest } = state.rows[0] ?? { next: '0', furthest: null };
    const rises = !sequence.increment.startsWith('-');
    if (furthest === null || (rises ? BigInt(next) > BigInt(furthest) : BigInt(next) < BigInt(furthest))) continue;
    const column = `${sequence.tableSchema}.${sequence.tableName}.${sequence.column}`;
    const exhausted = rises ? BigInt(furthest) >= BigInt(sequence.last) : BigInt(furthest) <= BigInt(sequence.last);
    if (!exhausted) await setSequence(client, { ...sequence, lastValue: furthest, isCalled: true });
    deviations.add(
      `SEQUENCE ${sequence.schema}.${sequence.name}`,
      exhausted ? 'left as archived' : `set forward to ${furthest}`,
      new Error(`it would have issued ${next}, and ${column} has ${furthest} already`),
    );
  }
}

/** One statement, for what the sequence issues next and how far its column is. */
function furthestQuery(sequence: OwnedSequence): string {
  const extreme = sequence.increment.startsWith('-') ? 'min' : 'max';
  const table = qualified({ schema: sequence.tableSchema, name: sequence.tableName });
  return `SELECT (s.last_value + CASE WHEN s.is_called THEN ${sequence.increment}::numeric ELSE 0 END)::text AS next,
      (SELECT ${extreme}(${escapeIdentifier(sequence.column)})::text FROM ${table}) AS furthest
    FROM ${qualified(sequence)} s`;
}

async function setSequence(client: ClientBase, { schema, name, lastValue, isCalled }: ArchivedSequence): Promise<void> {
  const result = await client
    .query(
      `SELECT setval(s.oid, $3::bigint, $4) FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
     WHERE s.relkind = 'S' AND n.nspname = $1 AND s.relname = $2`,
      [schema, name, lastValue, isCalled],
    )
    .catch((cause: unknown) => {
      if (!(cause instanceof DatabaseError) || cause.code !== OUT_OF_RANGE) throw cause;
      throw archiveContradictsSchema(`Sequence ${schema}.${name} cannot stand at ${lastValue} (${cause.message})`);
    });
  if (result.rowCount === 1) return;
  throw archiveContradictsSchema(`Sequence ${schema}.${name} is in the archive, but its schema does not make it`);
}
