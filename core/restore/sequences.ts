import type { ClientBase } from 'pg';
import type { Manifest } from '../archive/manifest';
import { archiveContradictsSchema } from './archive-errors';

/**
 * Sets the sequences to where the source's stood.
 *
 * @throws OperationError `archive_inconsistent` naming a sequence that no migration creates
 */
export async function restoreSequences(client: ClientBase, manifest: Manifest): Promise<void> {
  for (const sequence of manifest.sequences) {
    const result = await client.query(
      `SELECT setval(s.oid, $3::bigint, $4) FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
       WHERE s.relkind = 'S' AND n.nspname = $1 AND s.relname = $2`,
      [sequence.schema, sequence.name, sequence.lastValue, sequence.isCalled],
    );
    if (result.rowCount === 1) continue;
    throw archiveContradictsSchema(
      `Sequence ${sequence.schema}.${sequence.name} is in the archive, but no migration creates it`,
    );
  }
}
