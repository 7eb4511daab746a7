import type { Manifest } from '../archive/manifest';
import { withConnection } from '../database/connector';
import type { Log } from '../runtime/telemetry';
import { loadInto, type LoadDependencies, type LoadProof } from './load-into';
import { assertNewDatabase, createDatabase, dropOrLog } from './new-database';
import { type ArchiveChoice, findArchive } from './select-archive';
import { type VerificationDependencies, verifyArchive } from './verified-archive';

export interface RestoreDependencies extends LoadDependencies, VerificationDependencies {
  readonly log: Log;
  readonly clock: () => Date;
}

export interface RestoreTarget extends ArchiveChoice {
  /** Name of the database to create. */
  readonly targetDatabase: string;
}

/** A new database with the content of an archive, and its proof. */
export interface RestoredArchive extends LoadProof {
  readonly manifest: Manifest;
  /** From the request to the proven database. */
  readonly durationMs: number;
}

/**
 * Restores an archive into a new database and proves it: hashes, row counts, foreign keys, sequences and the rules of
 * the domain. The live database is not touched.
 *
 * Everything that can be refused is refused before anything is written. A restore that fails later drops its database.
 *
 * @throws OperationError `invalid_request`, `target_exists`, `archive_not_found`, `archive_foreign`,
 * `archive_unsupported`, `archive_malformed`, `archive_damaged` (naming the object), `schema_newer_than_code`,
 * `migration_edited`, `archive_inconsistent` (naming table, key or rule), `wrong_database`; and, retryable,
 * `store_unavailable`, `database_unavailable`
 */
export async function restoreArchive(
  dependencies: RestoreDependencies,
  request: RestoreTarget,
): Promise<RestoredArchive> {
  const { connector, log, clock } = dependencies;
  const { targetDatabase } = request;
  const startedAt = clock();
  const manifest = await choose(dependencies, request);
  const archive = await verifyArchive(dependencies, manifest);
  log.info('Archive verified, restore started', { database: manifest.database, slot: manifest.slot, targetDatabase });

  await createDatabase(connector, targetDatabase, manifest.server);
  let proof: LoadProof;
  try {
    proof = await withConnection(
      connector,
      (client) => loadInto(dependencies, client, archive, targetDatabase),
      targetDatabase,
    );
  } catch (error) {
    await dropOrLog(connector, targetDatabase, log);
    throw error;
  }
  return { manifest, ...proof, durationMs: clock().getTime() - startedAt.getTime() };
}

/** Finds the archive while the target is checked. An error of the target is thrown whichever of the two was faster. */
async function choose({ connector, store }: RestoreDependencies, request: RestoreTarget): Promise<Manifest> {
  const [target, archive] = await Promise.allSettled([
    assertNewDatabase(connector, request.targetDatabase),
    findArchive(store, connector.target.name, request),
  ]);
  if (target.status === 'rejected') throw target.reason;
  if (archive.status === 'rejected') throw archive.reason;
  return archive.value;
}
