import type { Manifest } from '../archive/manifest';
import { schemaDigest } from '../schema/compare';
import { Deviations } from '../schema/apply/deviations';
import { restoreDatabaseOwner, restoreDatabaseSettings } from '../schema/apply/database';
import type { Deviation } from '../schema/contract';
import { readArchivedSchema } from './archived-schema';
import { loadInto, type Loaded } from './load-into';
import { assertNewDatabase, createDatabase, dropOrLog, renameDatabase } from './new-database';
import {
  asAdministrator,
  assertErasuresReadable,
  Domain,
  prepareServer,
  proveSchema,
  reportDifferences,
  type RestoreDependencies,
} from './restore-phases';
import { scratchName } from './scratch-names';
import { sweepScratch } from './scratch-sweep';
import { type ArchiveChoice, findArchive } from './select-archive';
import { sweepRestoring } from './steps/leftovers';
import { type VerifiedArchive, verifyArchive } from './verified-archive';

export type { RestoreDependencies } from './restore-phases';

export interface RestoreTarget extends ArchiveChoice {
  /** Name of the database to create. */
  readonly targetDatabase: string;
}

/** The proof of a restored database. */
export interface RestoreProof extends Loaded {
  /** Rules of the domain that hold. */
  readonly invariantsChecked: number;
  /** Migrations that were applied after loading, because the archive's schema was older than the code. */
  readonly migratedForward: readonly string[];
  /** Roles that the server lacked; made without LOGIN and without a password. */
  readonly rolesCreated: readonly string[];
  /** What the server did not take of the archived schema, and the pending migration that failed. */
  readonly deviations: readonly Deviation[];
  /** Objects whose definition reads otherwise than in the archive, for a person to compare. */
  readonly schemaDifferences: readonly string[];
  /** Rows that were reduced, because they are of people who were erased since the backup. */
  readonly rowsErased: number;
}

/** A new database with the content of an archive, and its proof. */
export interface RestoredArchive extends RestoreProof {
  readonly manifest: Manifest;
  /** From the request to the proven database. */
  readonly durationMs: number;
}

/**
 * Restores an archive into a new database and proves it: hashes, row counts, foreign keys, sequences, the schema against
 * the archived one and the rules of the domain. The live database is not touched.
 *
 * Everything that can be refused is refused before anything is written. The database has a name of the platform's own
 * until it is proven; a restore that fails drops it, and what a killed restore left is dropped by a later one.
 *
 * @param manifest of the archive, which {@link chooseArchive} found; the ledger of erasures was readable
 * @param startedAt when it was asked for
 * @throws OperationError `archive_unsupported`, `archive_malformed`, `archive_damaged` (naming the object),
 * `schema_malformed`, `schema_newer_than_code`, `migration_edited`, `extension_missing`, `server_unsupported`,
 * `archive_inconsistent` (naming table, key or rule), `schema_not_applied`, `wrong_database`, `target_exists`, `disk_full`;
 * and, retryable, `store_unavailable`, `erasure_ledger_unreadable`, `database_unavailable`
 */
export async function restoreArchive(
  dependencies: RestoreDependencies,
  manifest: Manifest,
  targetDatabase: string,
  startedAt: Date,
): Promise<RestoredArchive> {
  const { connector, log, clock } = dependencies;
  const [archive, sweep] = await Promise.allSettled([
    verifyArchive(dependencies, manifest),
    sweepKilled(dependencies, startedAt),
  ]);
  if (archive.status === 'rejected') throw archive.reason;
  if (sweep.status === 'rejected') throw sweep.reason;
  const name = scratchName('unproven', connector.target.database, startedAt);
  const proof = await restoreInto(dependencies, archive.value, name);
  await renameDatabase(connector, name, targetDatabase).catch(async (error: unknown) => {
    await dropOrLog(connector, name, log);
    throw error;
  });
  return { manifest, ...proof, durationMs: clock().getTime() - startedAt.getTime() };
}

/** Drops what killed restores left. */
async function sweepKilled({ connector, log }: RestoreDependencies, startedAt: Date): Promise<void> {
  for (const purpose of ['unproven', 'schema'] as const) {
    for (const at of await sweepScratch(connector, purpose, startedAt)) {
      log.warn('A restore was killed; its database was dropped', { purpose, startedAt: at.toISOString() });
    }
  }
  await sweepRestoring(connector, log, startedAt);
}

/**
 * Restores an archive into a database of the platform's own, which the caller drops.
 *
 * @param name of the database, by `scratchName`
 * @throws OperationError as {@link restoreArchive} does; the database is dropped then
 */
export async function restoreScratch(
  dependencies: RestoreDependencies,
  choice: ArchiveChoice,
  name: string,
): Promise<RestoredArchive> {
  const { connector, store, clock } = dependencies;
  const startedAt = clock();
  const manifest = await findArchive(store, connector.target.name, choice);
  await assertErasuresReadable(dependencies);
  const proof = await restoreInto(dependencies, await verifyArchive(dependencies, manifest), name);
  return { manifest, ...proof, durationMs: clock().getTime() - startedAt.getTime() };
}

/**
 * Restores a verified archive into a new database and proves it, in the order roles → database and settings → schema before
 * the rows → rows → schema after the rows → owners and privileges → newer migrations → erasures since the backup.
 *
 * @throws OperationError as {@link restoreArchive} does; the database is dropped then
 */
export async function restoreInto(
  dependencies: RestoreDependencies,
  archive: VerifiedArchive,
  name: string,
): Promise<RestoreProof> {
  const deviations = new Deviations();
  const domain = new Domain(dependencies, archive.manifest, name);
  const { digest, ...made } = await createLoaded(dependencies, archive, name, deviations, domain);
  return droppedOnFailure(dependencies, name, async () => {
    const schemaDifferences = await proveSchema(dependencies, archive, name, deviations, { digest });
    const proven = await domain.migrateAndCheck(deviations);
    const { rowsErased } = await domain.eraseAgain(deviations);
    reportDifferences(dependencies.log, deviations.all(), schemaDifferences);
    return { ...made, ...proven, rowsErased, deviations: deviations.all(), schemaDifferences };
  });
}

/**
 * Creates a database and loads an archive into it. Of the archived schema, which may have tens of megabytes, there is only
 * the digest afterwards: to compare the restored one takes as much again.
 */
async function createLoaded(
  dependencies: RestoreDependencies,
  archive: VerifiedArchive,
  name: string,
  deviations: Deviations,
  domain: Domain,
): Promise<Loaded & Pick<RestoreProof, 'rolesCreated'> & { readonly digest: string }> {
  const { connector, log } = dependencies;
  const { manifest } = archive;
  const schema = await readArchivedSchema(dependencies, archive);
  const rolesCreated = await prepareServer(dependencies, schema.facts, deviations);
  log.info('Archive verified, restore started', { database: manifest.database, slot: manifest.slot, name });
  await createDatabase(connector, name, manifest.server);
  return droppedOnFailure(dependencies, name, async () => {
    const { database } = schema.facts;
    await asAdministrator(connector, (client) => restoreDatabaseSettings(client, name, database, deviations));
    const loaded = await loadInto(dependencies, archive, schema, name, deviations, () => domain.checkWhenCurrent());
    await asAdministrator(connector, (client) => restoreDatabaseOwner(client, name, database, deviations));
    return { ...loaded, rolesCreated, digest: schemaDigest(schema) };
  });
}

async function droppedOnFailure<T>(
  { connector, log }: RestoreDependencies,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  return work().catch(async (error: unknown) => {
    await dropOrLog(connector, name, log);
    throw error;
  });
}

/**
 * Finds the archive to restore while the target is checked. An error of the target is thrown whichever of the two was faster.
 *
 * @throws InvalidRequestError for a target or a choice that is none
 * @throws OperationError `target_exists`, `archive_not_found`, `archive_foreign`, `archive_unsupported`,
 * `archive_malformed`, `archive_unauthenticated`; and, retryable, `store_unavailable`, `signing_key_unavailable`,
 * `database_unavailable`
 */
export async function chooseArchive(
  { connector, store }: Pick<RestoreDependencies, 'connector' | 'store'>,
  request: RestoreTarget,
): Promise<Manifest> {
  const [target, archive] = await Promise.allSettled([
    assertNewDatabase(connector, request.targetDatabase),
    findArchive(store, connector.target.name, request),
  ]);
  if (target.status === 'rejected') throw target.reason;
  if (archive.status === 'rejected') throw archive.reason;
  return archive.value;
}
