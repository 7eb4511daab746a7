import type { Client, ClientBase } from 'pg';
import { applyCopySettings } from '../archive/copy-session';
import type { ArchivedTable } from '../archive/manifest';
import { withConnections } from '../database/connections';
import type { DatabaseConnector } from '../database/connector';
import { assertIdentity } from '../database/identity';
import { applyMigrations } from '../migrations/runner';
import { runConcurrently } from '../runtime/run-concurrently';
import { assertExpectedTables, assertRowCount } from './compare-tables';
import { type Guards, removeGuards, restoreGuards, validateKey } from './guards';
import { assertInvariants } from './invariants';
import { loadTables } from './load';
import { restoreSequences } from './sequences';
import { collectStatistics } from './statistics';
import type { VerifiedArchive } from './verified-archive';

/** Connections that load at once; the server has two cores in the smallest tier, and building indexes is its work. */
const WORKERS = 2;
/**
 * Size of a table from which PostgreSQL builds an index with parallel workers, instead of 8 MB. The connections build
 * indexes at the same time, so that starting workers for smaller tables costs a tenth of the time.
 */
const PARALLEL_FROM = '1GB';

export interface LoadDependencies {
  /** The server of the new database. */
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  /** Connections that load at once. @default 2 */
  readonly workers?: number;
}

/** The proof of a loaded database. */
export interface LoadProof {
  /** Foreign keys that were checked against every row. */
  readonly foreignKeysValidated: number;
  readonly sequencesRestored: number;
  /** Rules of the domain that hold. */
  readonly invariantsChecked: number;
  /** Migrations that were applied after loading, because the archive's schema was older than the code. */
  readonly migratedForward: readonly string[];
}

/**
 * Loads an archive into a new, empty database: the schema as it was, the rows, the proof of the rows, and only then the
 * newer migrations of the schema.
 *
 * An archive that is reduced to some of its tables gets these alone: foreign keys and triggers stay off, because keys
 * would refuse rows whose parents are not loaded, and sequences, identity and domain rules are not those of the archive.
 *
 * @param client a connection to the new database
 * @param targetDatabase name of the new database, for further connections
 * @throws OperationError `archive_damaged` naming the object, `archive_inconsistent` naming table, key or rule,
 * `wrong_database`, `migration_failed`; and, retryable, `store_unavailable`, `database_unavailable`
 */
export async function loadInto(
  { connector, migrationsDirectory, workers = WORKERS }: LoadDependencies,
  client: Client,
  { manifest, tables, isWhole, objects }: VerifiedArchive,
  targetDatabase: string,
): Promise<LoadProof> {
  const { database, migrations } = manifest;
  await applyMigrations(client, database, migrationsDirectory, { upTo: migrations.at(-1)?.name });
  await assertExpectedTables(client, manifest);
  const guards = await removeGuards(client);
  const options = { count: workers, database: targetDatabase, prepare: prepareWriter };
  return withConnections(connector, options, async (writers) => {
    await loadTables(objects, tables, writers);
    const foreignKeysValidated = await checkRows(client, writers, tables, isWhole ? guards : undefined);
    if (isWhole) {
      await restoreSequences(client, manifest);
      // Identity and history are the archive's own by now: an archive of another database is refused here at the latest.
      await assertIdentity(client, database);
    }
    const { applied } = await applyMigrations(client, database, migrationsDirectory);
    return {
      foreignKeysValidated,
      sequencesRestored: isWhole ? manifest.sequences.length : 0,
      invariantsChecked: isWhole ? await checkDomain(client, writers, database) : 0,
      migratedForward: applied.slice(migrations.length),
    };
  });
}

/** Prepares a connection for loading. A crash would lose the whole new database anyway, so commits need not wait. */
async function prepareWriter(writer: Client): Promise<void> {
  await applyCopySettings(writer);
  await writer.query(`SET synchronous_commit = off; SET min_parallel_table_scan_size = '${PARALLEL_FROM}'`);
}

/**
 * Puts the guards back and has every row checked against them, and counts the rows.
 *
 * @returns how many foreign keys were checked
 */
async function checkRows(
  client: ClientBase,
  writers: readonly ClientBase[],
  tables: readonly ArchivedTable[],
  guards: Guards | undefined,
): Promise<number> {
  const { unchecked, checked } = guards ? await restoreGuards(client, guards) : { unchecked: [], checked: 0 };
  const checks = [
    ...unchecked.map((key) => (writer: ClientBase) => validateKey(writer, key)),
    ...tables.map((table) => (writer: ClientBase) => assertRowCount(writer, table)),
  ];
  await runConcurrently(checks, writers, (check, writer) => check(writer));
  return checked + unchecked.length;
}

/** Checks the rules of the domain while statistics are collected. */
async function checkDomain(
  client: ClientBase,
  writers: readonly ClientBase[],
  database: DatabaseConnector['target']['name'],
): Promise<number> {
  const [invariantsChecked] = await Promise.all([
    assertInvariants(client, database),
    collectStatistics(client, writers),
  ]);
  return invariantsChecked;
}
