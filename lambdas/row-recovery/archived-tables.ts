import type { Client } from 'pg';
import type { Manifest } from '../../core/archive/manifest';
import { withConnection } from '../../core/database/connector';
import { readMigrationFiles } from '../../core/migrations/files';
import { readArchivedSchema } from '../../core/restore/archived-schema';
import { loadTablesInto, prepareWriter } from '../../core/restore/load-into';
import { createDatabase, dropOrLog, MAINTENANCE_DATABASE } from '../../core/restore/new-database';
import { unappliedMigration } from '../../core/restore/pending-migrations';
import { type RestoreDependencies, restoreInto } from '../../core/restore/restore-archive';
import { scratchName } from '../../core/restore/scratch-names';
import { sweepScratch } from '../../core/restore/scratch-sweep';
import { type ArchiveChoice, findArchive } from '../../core/restore/select-archive';
import { exceedsCall } from '../../core/restore/workflow';
import { assertReadable, type VerifiedArchive, verifyArchive } from '../../core/restore/verified-archive';
import { VerifiedObjects, verifySizes } from '../../core/restore/verified-objects';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import { Deviations } from '../../core/schema/apply/deviations';
import { assertRestorable } from '../../core/schema/apply/preflight';
import type { Deviation } from '../../core/schema/contract';
import type { ReadSchema } from '../../core/schema/read-schema';
import { nameOf } from './tables';

/** An archive from which rows are wanted. */
export interface WantedArchive extends VerifiedArchive {
  /** Whether the schema of the archive is older than the code, so that its rows have to be migrated. */
  readonly isOlder: boolean;
  /** Whether the tables are too large to be loaded as a whole; their objects are then verified as they are loaded. */
  readonly inParts: boolean;
}

/** What decides how an archive is read. */
export interface ArchiveSizes {
  /** Bytes of COPY text of the wanted tables above which they are loaded part by part. */
  readonly wholeBytes: number;
  /** Bytes of COPY text above which no archive is restored by one call. */
  readonly limitBytes: number;
}

const GIB = 1024 ** 3;

/**
 * The requested archive. Its objects are verified: those of the wanted tables, or all of them where migrations are pending,
 * which may read any table.
 *
 * @param names of the tables, as `schema.table`
 * @throws OperationError as {@link findArchive} and {@link verifyArchive} describe
 * @throws InvalidRequestError naming a table that the archive lacks
 * @throws OperationError `archive_too_large` when it is older than the code, or a table is loaded through another one
 */
export async function findTables(
  dependencies: RestoreDependencies & ArchiveSizes,
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
  const { wholeBytes, limitBytes } = dependencies;
  const inParts = !isOlder && tables.reduce((sum, { bytes }) => sum + bytes, 0) > wholeBytes;
  if (isOlder && exceedsCall(manifest, { limitBytes }, await dependencies.erasures.ledger.read())) {
    const size = `${gib(manifest.bytes)} and ${manifest.rows.toLocaleString('en')} rows`;
    throw tooLarge(manifest, 'is older than the code, so all of it has to be restored and migrated', size);
  }
  const through = inParts ? tables.find(({ loadThrough }) => loadThrough !== undefined) : undefined;
  if (through) {
    throw tooLarge(
      manifest,
      `has ${nameOf(through)}, whose rows may lie in other partitions by now`,
      gib(through.bytes),
    );
  }
  if (inParts) {
    await assertReadable(dependencies, manifest);
    await verifySizes(
      store,
      manifest,
      tables.flatMap(({ parts }) => parts),
    );
    return { manifest, tables, objects: new VerifiedObjects(store, 0), isOlder, inParts };
  }
  return { ...(await verifyArchive(dependencies, manifest, isOlder ? undefined : tables)), isOlder, inParts };
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}

function tooLarge({ slot, database }: Manifest, why: string, size: string): OperationError {
  return new OperationError(
    'archive_too_large',
    `The archive of ${slot} ${why}, and its ${size} are too much for one call: restore it into a database of its own (ops restore ${database} --archive ${slot} --into <name>), and compare with that (ops rows report ${database} … --from-instance <host of the live database>/<name>)`,
  );
}

/**
 * Loads the wanted tables into a scratch database beside the live one, in the schema of this code, and runs `work` with a
 * connection to it. An archive of an older schema is restored as a whole: its migrations may fill a column from another
 * table, and rely on keys and triggers. The scratch database is dropped afterwards; that of a killed run by the next run.
 *
 * @param work gets the migration that could not be applied, with which the tables have the schema before it
 */
export async function withArchivedTables<T>(
  dependencies: RestoreDependencies,
  archive: WantedArchive,
  work: (scratch: Client, unapplied: Deviation | undefined) => Promise<T>,
): Promise<T> {
  const { connector, log } = dependencies;
  const name = await nameScratch(dependencies);
  let unapplied: Deviation | undefined;
  if (archive.isOlder) {
    const { deviations } = await restoreInto(dependencies, archive, name);
    unapplied = unappliedMigration(deviations);
  } else {
    await loadTablesAlone(dependencies, archive, name);
  }
  try {
    return await withConnection(connector, (scratch) => work(scratch, unapplied), name);
  } finally {
    await dropOrLog(connector, name, log);
  }
}

/**
 * Makes a scratch database beside the live one with the tables of an archive that has the schema of this code, without rows,
 * and runs `work` with a connection that may load them. It is dropped afterwards; that of a killed run by the next run.
 */
export async function withArchivedSchema<T>(
  dependencies: RestoreDependencies,
  archive: WantedArchive,
  work: (scratch: Client) => Promise<T>,
): Promise<T> {
  const { connector, log } = dependencies;
  const name = await nameScratch(dependencies);
  const { facts } = await loadTablesAlone(dependencies, { ...archive, tables: [] }, name);
  try {
    return await withConnection(
      connector,
      async (scratch) => {
        await prepareWriter(scratch, facts);
        return work(scratch);
      },
      name,
    );
  } finally {
    await dropOrLog(connector, name, log);
  }
}

/** The name of a new scratch database; those of killed runs are dropped. */
async function nameScratch({ connector, clock }: RestoreDependencies): Promise<string> {
  const startedAt = clock();
  await sweepScratch(connector, 'row_recovery', startedAt);
  return scratchName('row_recovery', connector.target.database, startedAt);
}

async function loadTablesAlone(
  dependencies: RestoreDependencies,
  archive: VerifiedArchive,
  name: string,
): Promise<ReadSchema> {
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
  return schema;
}
