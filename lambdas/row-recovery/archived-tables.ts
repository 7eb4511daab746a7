import type { Client } from 'pg';
import { withConnection } from '../../core/database/connector';
import { loadInto } from '../../core/restore/load-into';
import { createDatabase, dropOrLog } from '../../core/restore/new-database';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { scratchName, sweepScratch } from '../../core/restore/scratch-sweep';
import { type ArchiveChoice, findArchive } from '../../core/restore/select-archive';
import { type VerifiedArchive, verifyArchive } from '../../core/restore/verified-archive';
import { InvalidRequestError } from '../../core/runtime/errors';
import { nameOf } from './tables';

/**
 * The requested archive, reduced to some tables whose objects are verified.
 *
 * @param names of the tables, as `schema.table`
 * @throws OperationError as {@link findArchive} and {@link verifyArchive} describe
 * @throws InvalidRequestError naming a table that the archive lacks
 */
export async function findTables(
  dependencies: RestoreDependencies,
  choice: ArchiveChoice,
  names: readonly string[],
): Promise<VerifiedArchive> {
  const { connector, store } = dependencies;
  const manifest = await findArchive(store, connector.target.name, choice);
  const tables = manifest.tables.filter((table) => names.includes(nameOf(table)));
  const missing = names.find((name) => !tables.some((table) => nameOf(table) === name));
  if (missing !== undefined) {
    throw new InvalidRequestError(`tables: ${missing} is not in the archive of ${manifest.slot}`);
  }
  return verifyArchive(dependencies, manifest, tables);
}

/**
 * Loads an archive into a scratch database beside the live one, in the schema of this code, and runs `work` with a
 * connection to it. The scratch database is dropped afterwards; that of a killed run by the next run.
 */
export async function withArchivedTables<T>(
  dependencies: RestoreDependencies,
  archive: VerifiedArchive,
  work: (scratch: Client) => Promise<T>,
): Promise<T> {
  const { connector, log, clock } = dependencies;
  const startedAt = clock();
  await sweepScratch(connector, 'row_recovery', startedAt);
  const name = scratchName('row_recovery', connector.target.database, startedAt);
  await createDatabase(connector, name, archive.manifest.server);
  try {
    return await withConnection(
      connector,
      async (scratch) => {
        await loadInto(dependencies, scratch, archive, name);
        return work(scratch);
      },
      name,
    );
  } finally {
    await dropOrLog(connector, name, log);
  }
}
