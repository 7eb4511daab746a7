import type { Client, ClientBase } from 'pg';
import { distribute } from '../archive/distribute';
import type { Manifest } from '../archive/manifest';
import { assertInvariants } from './invariants';
import type { ArchiveStore } from '../archive/store';
import { type DatabaseConnector, withConnection } from '../database/connector';
import { assertIdentity } from '../database/identity';
import { messageOf } from '../runtime/errors';
import { readMigrationFiles } from '../migrations/files';
import { assertHistory } from '../migrations/journal';
import { applyMigrations } from '../migrations/runner';
import type { Log } from '../runtime/telemetry';
import type { RestoreReport, RestoreRequest } from './contract';
import { removeGuards, restoreGuards, validateKey } from './guards';
import { assertRowCount, assertSameTables, collectStatistics, loadTables, restoreSequences, withWriters } from './load';
import { assertNewDatabase, createDatabase, dropDatabase } from './scratch-database';
import { findArchive } from './select-archive';
import { type VerifiedObjects, verifyObjects } from './verified-objects';

/** Connections that load at once; the server has two cores in the smallest tier, and building indexes is its work. */
const WORKERS = 2;

export interface RestoreDependencies {
  /** The server that the new database is created on. */
  readonly connector: DatabaseConnector;
  readonly store: ArchiveStore;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  readonly log: Log;
  readonly now: () => Date;
  /** @default 2 */
  readonly workers?: number;
  /** Of the objects, that stay in memory between their proof and their loading; @default 64 MiB */
  readonly heldBytes?: number;
}

type Proof = Pick<
  RestoreReport,
  'foreignKeysValidated' | 'sequencesRestored' | 'invariantsChecked' | 'migratedForward'
>;

/**
 * Restores an archive into a new database and proves it: hashes, row counts, foreign keys, sequences and the rules of
 * the domain. The live database is not touched.
 *
 * Everything that can be refused is refused before anything is written. A restore that fails later leaves no database.
 *
 * @throws OperationError `invalid_request`, `target_exists`, `archive_not_found`, `archive_foreign`,
 * `archive_unsupported`, `archive_malformed`, `archive_damaged` (naming the object), `schema_newer_than_code`,
 * `migration_edited`, `archive_inconsistent` (naming table, key or rule), `wrong_database`; and, retryable,
 * `store_unavailable`, `database_unavailable`
 */
export async function restoreArchive(
  dependencies: RestoreDependencies,
  request: Omit<RestoreRequest, 'database'>,
): Promise<RestoreReport> {
  const { connector, store, log, now } = dependencies;
  const { targetDatabase } = request;
  const startedAt = now();
  // Both at once; but an answer about the target does not depend on which of them was faster.
  const [target, archive] = await Promise.allSettled([
    assertNewDatabase(connector, targetDatabase),
    findArchive(store, connector.target.name, request),
  ]);
  if (target.status === 'rejected') throw target.reason;
  if (archive.status === 'rejected') throw archive.reason;
  const manifest = archive.value;
  assertHistory(
    manifest.migrations,
    await readMigrationFiles(dependencies.migrationsDirectory),
    `The archive of ${manifest.slot}`,
  );
  const objects = await verifyObjects(store, manifest, dependencies.heldBytes);
  log.info('Archive verified, restore started', { database: manifest.database, slot: manifest.slot, targetDatabase });

  await createDatabase(connector, targetDatabase, manifest.server);
  let proof: Proof;
  try {
    proof = await withConnection(
      connector,
      (client) => fill(dependencies, client, manifest, objects, targetDatabase),
      targetDatabase,
    );
  } catch (error) {
    await dropDatabase(connector, targetDatabase).catch((dropError: unknown) => {
      log.error('The failed restore left its database behind: drop it', {
        targetDatabase,
        error: messageOf(dropError),
      });
    });
    throw error;
  }
  const kept = request.afterwards === 'keep';
  if (!kept) await dropDatabase(connector, targetDatabase);
  return {
    database: manifest.database,
    slot: manifest.slot,
    archivedAt: manifest.startedAt,
    targetDatabase,
    tables: manifest.tables.length,
    rows: manifest.rows,
    ...proof,
    durationMs: now().getTime() - startedAt.getTime(),
    kept,
  };
}

/** Schema as it was, data, proof of the data, and only then the schema's newer migrations. */
async function fill(
  { connector, migrationsDirectory, workers = WORKERS }: RestoreDependencies,
  client: Client,
  manifest: Manifest,
  objects: VerifiedObjects,
  targetDatabase: string,
): Promise<Proof> {
  const { database, migrations } = manifest;
  const version = migrations.at(-1)?.name;
  await applyMigrations(client, database, migrationsDirectory, { upTo: version });
  await assertSameTables(client, manifest);
  const guards = await removeGuards(client);
  return withWriters(connector, targetDatabase, workers, async (writers) => {
    await loadTables(objects, manifest, writers);
    const { unchecked, checked } = await restoreGuards(client, guards);
    const checks = [
      ...unchecked.map((key) => (writer: ClientBase) => validateKey(writer, key)),
      ...manifest.tables.map((table) => (writer: ClientBase) => assertRowCount(writer, table)),
    ];
    await distribute(checks, writers, (check, writer) => check(writer));
    await restoreSequences(client, manifest);
    // Identity and history now are the archive's own: a main archive in billing's place is refused here at the latest.
    await assertIdentity(client, database);
    const { applied } = await applyMigrations(client, database, migrationsDirectory);
    const [invariantsChecked] = await Promise.all([
      assertInvariants(client, database),
      collectStatistics(client, writers),
    ]);
    return {
      foreignKeysValidated: checked + unchecked.length,
      sequencesRestored: manifest.sequences.length,
      invariantsChecked,
      migratedForward: applied.slice(migrations.length),
    };
  });
}
