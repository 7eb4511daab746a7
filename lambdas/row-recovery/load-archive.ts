import type { Client } from 'pg';
import { removeGuards } from '../../core/restore/guards';
import { assertSameTables, loadTables, withWriters } from '../../core/restore/load';
import type { RestoreDependencies } from '../../core/restore/restore-archive';
import { createDatabase, dropDatabase } from '../../core/restore/scratch-database';
import { scratchName, sweepScratch } from '../../core/restore/scratch-sweep';
import { type ArchiveChoice, findArchive } from '../../core/restore/select-archive';
import { type VerifiedObjects, verifyObjects } from '../../core/restore/verified-objects';
import type { Manifest } from '../../core/archive/manifest';
import { withConnection } from '../../core/database/connector';
import { InvalidRequestError, messageOf } from '../../core/runtime/errors';
import { readMigrationFiles } from '../../core/migrations/files';
import { assertHistory } from '../../core/migrations/journal';
import { applyMigrations } from '../../core/migrations/runner';
import { nameOf } from './tables';

/** Loads on two connections at once; building the indexes is the server's work. */
const WORKERS = 2;

/** An archive, and what it would be if it had but the wanted tables, whose objects are proven. */
interface FoundTables {
  readonly whole: Manifest;
  readonly wanted: Manifest;
  readonly objects: VerifiedObjects;
}

/**
 * The archive that was asked for, reduced to the wanted tables, once their objects are proven to be what was written.
 *
 * @throws OperationError as {@link findArchive} and {@link verifyObjects} do, or `schema_newer_than_code`
 * @throws InvalidRequestError naming a table that the archive does not hold
 */
export async function findTables(
  { connector, store, migrationsDirectory, heldBytes }: RestoreDependencies,
  choice: ArchiveChoice,
  names: readonly string[],
): Promise<FoundTables> {
  const whole = await findArchive(store, connector.target.name, choice);
  assertHistory(whole.migrations, await readMigrationFiles(migrationsDirectory), `The archive of ${whole.slot}`);
  const tables = whole.tables.filter((table) => names.includes(nameOf(table)));
  const missing = names.find((name) => !tables.some((table) => nameOf(table) === name));
  if (missing !== undefined) {
    throw new InvalidRequestError(`tables: ${missing} is not in the archive of ${whole.slot}`);
  }
  const wanted = { ...whole, tables };
  return { whole, wanted, objects: await verifyObjects(store, wanted, heldBytes) };
}

/**
 * Loads the wanted tables into a scratch database beside the live one, in the schema that this code carries, and hands
 * a connection to it to `work`. The scratch database is dropped whatever happens; of a killed run, by the next one.
 */
export async function withArchivedTables<T>(
  dependencies: RestoreDependencies,
  { whole, wanted, objects }: FoundTables,
  work: (scratch: Client) => Promise<T>,
): Promise<T> {
  const { connector, migrationsDirectory, log, now, workers = WORKERS } = dependencies;
  const { database, migrations } = whole;
  const startedAt = now();
  await sweepScratch(connector, 'row_recovery', startedAt);
  const name = scratchName('row_recovery', connector.target.database, startedAt);
  await createDatabase(connector, name, whole.server);
  try {
    return await withConnection(
      connector,
      async (scratch) => {
        await applyMigrations(scratch, database, migrationsDirectory, { upTo: migrations.at(-1)?.name });
        await assertSameTables(scratch, whole);
        // For good: keys would refuse rows whose parents are not wanted.
        await removeGuards(scratch);
        await withWriters(connector, name, workers, (writers) => loadTables(objects, wanted, writers));
        await applyMigrations(scratch, database, migrationsDirectory);
        return work(scratch);
      },
      name,
    );
  } finally {
    await dropDatabase(connector, name).catch((error: unknown) => {
      log.error('The archive loaded beside the live tables was left behind; the next run drops it', {
        name,
        error: messageOf(error),
      });
    });
  }
}
