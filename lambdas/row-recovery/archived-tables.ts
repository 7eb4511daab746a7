import type { Client } from 'pg';
import { withConnection } from '../../core/database/connector';
import { readMigrationFiles } from '../../core/migrations/files';
import { readArchivedSchema } from '../../core/restore/archived-schema';
import { loadTablesInto } from '../../core/restore/load-into';
import { createDatabase, dropOrLog, MAINTENANCE_DATABASE } from '../../core/restore/new-database';
import { type RestoreDependencies, restoreInto } from '../../core/restore/restore-archive';
import { scratchName } from '../../core/restore/scratch-names';
import { sweepScratch } from '../../core/restore/scratch-sweep';
import { type ArchiveChoice, findArchive } from '../../core/restore/select-archive';
import { type VerifiedArchive, verifyArchive } from '../../core/restore/verified-archive';
import { InvalidRequestError } from '../../core/runtime/errors';
import { Deviations } from '../../core/schema/apply/deviations';
import { assertRestorable } from '../../core/schema/apply/preflight';
import { nameOf } from './tables';

/** An archive from which rows are wanted. */
export interface WantedArchive extends VerifiedArchive {
  /** Whether the schema of the archive is older than the code, so that its rows have to be migrated. */
  readonly isOlder: boolean;
}

/**
 * The requested archive. Its objects are verified: those of the wanted tables, or all of them where migrations are pending,
 * which may read any table.
 *
 * @param names of the tables, as `schema.table`
 * @throws OperationError as {@link findArchive} and {@link verifyArchive} describe
 * @throws InvalidRequestError naming a table that the archive lacks
 */
export async function findTables(
  dependencies: RestoreDependencies,
  choice: ArchiveChoice,
  names: readonly string[],
): Promise<WantedArchive> {
  const { connector, store, migrationsDirectory } = dependencies;
  const manifest = await findArchive(store, connector.target.name, choice);
  const tables = manifest.tables.filter((table) => names.includes(nameOf(table)));
  const missing = names.find((name) => !tables.some((table) => nameOf(table) === name));
  if (missing !== undefined) {
    throw new InvalidRequestError(`tables: ${missing} is not in the archive of ${manifest.slot}`);
  }
  const isOlder = (await readMigrationFiles(migrationsDirectory)).length > manifest.migrations.length;
  return { ...(await verifyArchive(dependencies, manifest, isOlder ? undefined : tables)), isOlder };
}

/**
 * Loads the wanted tables into a scratch database beside the live one, in the schema of this code, and runs `work` with a
 * connection to it. An archive of an older schema is restored as a whole: its migrations may fill a column from another
 * table, and rely on keys and triggers. The scratch database is dropped afterwards; that of a killed run by the next run.
 */
export async function withArchivedTables<T>(
  dependencies: RestoreDependencies,
  archive: WantedArchive,
  work: (scratch: Client) => Promise<T>,
): Promise<T> {
  const { connector, log, clock } = dependencies;
  const startedAt = clock();
  await sweepScratch(connector, 'row_recovery', startedAt);
  const name = scratchName('row_recovery', connector.target.database, startedAt);
  await (archive.isOlder ? restoreInto(dependencies, archive, name) : loadTablesAlone(dependencies, archive, name));
  try {
    return await withConnection(connector, work, name);
  } finally {
    await dropOrLog(connector, name, log);
  }
}

async function loadTablesAlone(
  dependencies: RestoreDependencies,
  archive: VerifiedArchive,
  name: string,
): Promise<void> {
  const { connector, log } = dependencies;
  const schema = await readArchivedSchema(dependencies, archive);
  await withConnection(connector, (client) => assertRestorable(client, schema.facts), MAINTENANCE_DATABASE);
  await createDatabase(connector, name, archive.manifest.server);
  try {
    await loadTablesInto(dependencies, archive, schema, name, new Deviations());
  } catch (error) {
    await dropOrLog(connector, name, log);
    throw error;
  }
}
