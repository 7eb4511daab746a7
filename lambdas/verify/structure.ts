import { type ClientBase, escapeIdentifier } from 'pg';
import { qualified } from '../../core/archive/copy-session';
import type { Checks } from './checks';
import type { VerifyProblem } from './contract';

/** Rows in a message, as examples. */
const EXAMPLES = 3;

interface ForeignKey {
  readonly name: string;
  readonly childSchema: string;
  readonly childName: string;
  readonly childOnly: boolean;
  readonly childColumns: readonly string[];
  readonly parentSchema: string;
  readonly parentName: string;
  readonly parentOnly: boolean;
  readonly parentColumns: readonly string[];
}

const COLUMNS_OF = (table: string, numbers: string) =>
  `ARRAY(SELECT a.attname::text FROM unnest(${numbers}) WITH ORDINALITY AS k (number, position)
         JOIN pg_attribute a ON a.attrelid = ${table} AND a.attnum = k.number ORDER BY k.position)`;

/**
 * Compares every row of every child table with its parents. A valid key was checked only when it was declared: rows that
 * violate it appear while triggers are disabled, and with damaged pages. Small tables come first, so that most keys are
 * checked when the time is short.
 *
 * @returns how many keys were checked
 */
export async function checkForeignKeys(client: ClientBase, checks: Checks): Promise<number> {
  const keys = await client.query<ForeignKey>(
    `SELECT k.conname AS name, cn.nspname AS "childSchema", c.relname AS "childName", c.relkind = 'r' AS "childOnly",
            ${COLUMNS_OF('c.oid', 'k.conkey')} AS "childColumns",
            pn.nspname AS "parentSchema", p.relname AS "parentName", p.relkind = 'r' AS "parentOnly",
            ${COLUMNS_OF('p.oid', 'k.confkey')} AS "parentColumns"
     FROM pg_constraint k
     JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
     JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
     WHERE k.contype = 'f' AND k.conparentid = 0
     ORDER BY c.relpages, cn.nspname, c.relname, k.conname`,
  );
  let checked = 0;
  for (const key of keys.rows) {
    const table = `${key.childSchema}.${key.childName}`;
    const child = (column: string) => `c.${escapeIdentifier(column)}`;
    const pairs = key.childColumns.map((column, at) => [child(column), key.parentColumns[at] ?? ''] as const);
    const orphans = await checks.run(`foreign key ${key.name} of ${table}`, () =>
      client.query<{ key: string }>(
        `SELECT concat_ws(', ', ${key.childColumns.map(child).join(', ')}) AS key
       FROM ${key.childOnly ? 'ONLY ' : ''}${qualified({ schema: key.childSchema, name: key.childName })} c
       WHERE ${key.childColumns.map((column) => `${child(column)} IS NOT NULL`).join(' AND ')}
         AND NOT EXISTS (
           SELECT FROM ${key.parentOnly ? 'ONLY ' : ''}${qualified({ schema: key.parentSchema, name: key.parentName })} p
           WHERE ${pairs.map(([column, parent]) => `p.${escapeIdentifier(parent)} = ${column}`).join(' AND ')})
       LIMIT ${EXAMPLES}`,
      ),
    );
    if (orphans === undefined) continue;
    checked += 1;
    if (orphans.rows.length === 0) continue;
    const examples = orphans.rows.map((row) => row.key).join('; ');
    const message = `Foreign key ${key.name} of ${table} does not hold: ${key.parentSchema}.${key.parentName} lacks, for example, ${examples}`;
    checks.problems.push({ check: 'foreign-keys', message });
  }
  return checked;
}

interface Sequence {
  readonly schema: string;
  readonly name: string;
  readonly tableSchema: string;
  readonly tableName: string;
  readonly column: string;
  readonly increment: string;
}

/**
 * Compares each sequence with its column: a sequence that is behind issues numbers that are taken.
 *
 * @returns how many sequences were compared
 */
export async function checkSequences(client: ClientBase, checks: Checks): Promise<number> {
  const sequences = await client.query<Sequence>(
    `SELECT sn.nspname AS schema, s.relname AS name, tn.nspname AS "tableSchema", t.relname AS "tableName",
            a.attname AS column, q.seqincrement::text AS increment
     FROM pg_sequence q
     JOIN pg_class s ON s.oid = q.seqrelid JOIN pg_namespace sn ON sn.oid = s.relnamespace
     JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
     JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND s.relpersistence <> 't'
     ORDER BY sn.nspname, s.relname`,
  );
  let checked = 0;
  for (const sequence of sequences.rows) {
    const rises = BigInt(sequence.increment) > 0n;
    // One statement, so that the sequence is never read before the rows that it numbered.
    const state = await checks.run(`sequence ${sequence.schema}.${sequence.name}`, () =>
      client.query<{ next: string; furthest: string | null }>(
        `SELECT (s.last_value + CASE WHEN s.is_called THEN ${sequence.increment}::numeric ELSE 0 END)::text AS next,
              (SELECT ${rises ? 'max' : 'min'}(${escapeIdentifier(sequence.column)})::text
               FROM ${qualified({ schema: sequence.tableSchema, name: sequence.tableName })}) AS furthest
       FROM ${qualified(sequence)} s`,
      ),
    );
    if (state === undefined) continue;
    checked += 1;
    const { next, furthest } = state.rows[0] ?? { next: '0', furthest: null };
    if (furthest === null || (rises ? BigInt(next) > BigInt(furthest) : BigInt(next) < BigInt(furthest))) continue;
    const where = `${sequence.tableSchema}.${sequence.tableName}.${sequence.column}`;
    const message = `Sequence ${sequence.schema}.${sequence.name} will issue ${next}, but ${where} has ${furthest} already: set it past that`;
    checks.problems.push({ check: 'sequences', message });
  }
  return checked;
}

/** Disabled triggers: those of a foreign key leave it unenforced, whatever the schema says. */
export async function checkTriggers(client: ClientBase): Promise<readonly VerifyProblem[]> {
  const disabled = await client.query<{ name: string; table: string }>(
    `SELECT t.tgname AS name, n.nspname || '.' || c.relname AS table
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE t.tgenabled = 'D' AND n.nspname !~ '^pg_'
     ORDER BY n.nspname, c.relname, t.tgname`,
  );
  return disabled.rows.map(({ name, table }) => ({
    check: 'schema',
    message: `Trigger ${name} of ${table} is disabled, so that its rule is not enforced: enable it`,
  }));
}
