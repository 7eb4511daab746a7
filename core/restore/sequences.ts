import type { ClientBase } from 'pg';
import { readSequences } from '../archive/catalog';
import { qualified } from '../archive/copy-session';
import type { ArchivedSequence } from '../archive/manifest';
import type { Deviations } from '../schema/apply/deviations';
import { archiveContradictsSchema } from './archive-errors';

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

async function setSequence(client: ClientBase, { schema, name, lastValue, isCalled }: ArchivedSequence): Promise<void> {
  const result = await client.query(
    `SELECT setval(s.oid, $3::bigint, $4) FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
     WHERE s.relkind = 'S' AND n.nspname = $1 AND s.relname = $2`,
    [schema, name, lastValue, isCalled],
  );
  if (result.rowCount === 1) return;
  throw archiveContradictsSchema(`Sequence ${schema}.${name} is in the archive, but its schema does not make it`);
}
