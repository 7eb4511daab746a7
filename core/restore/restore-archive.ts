import type { Client } from 'pg';
import type { Manifest } from '../archive/manifest';
import { withConnection } from '../database/connector';
import { assertIdentity } from '../database/identity';
import { prepareSession } from '../database/session';
import { readMigrationFiles } from '../migrations/files';
import { applyMigrations } from '../migrations/runner';
import { readCurrent } from '../schema/capture';
import { schemaDigest } from '../schema/compare';
import { Deviations } from '../schema/apply/deviations';
import { restoreDatabaseOwner, restoreDatabaseSettings } from '../schema/apply/database';
import { assertRestorable } from '../schema/apply/preflight';
import { restoreRoles } from '../schema/apply/roles';
import type { Deviation, SchemaFacts } from '../schema/contract';
import { readArchivedSchema, type SchemaDependencies } from './archived-schema';
import { assertSameSchema } from './compare-schema';
import { assertInvariants } from './invariants';
import { loadInto, type Loaded, type LoadDependencies } from './load-into';
import { assertNewDatabase, createDatabase, dropOrLog, MAINTENANCE_DATABASE, renameDatabase } from './new-database';
import { scratchName } from './scratch-names';
import { sweepScratch } from './scratch-sweep';
import { type ArchiveChoice, findArchive } from './select-archive';
import { type VerificationDependencies, type VerifiedArchive, verifyArchive } from './verified-archive';

export interface RestoreDependencies extends LoadDependencies, VerificationDependencies, SchemaDependencies {}

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
  /** What the server did not take of the archived schema. */
  readonly deviations: readonly Deviation[];
  /** Objects whose definition reads otherwise than in the archive, for a person to compare. */
  readonly schemaDifferences: readonly string[];
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
 * @throws OperationError `invalid_request`, `target_exists`, `archive_not_found`, `archive_foreign`,
 * `archive_unsupported`, `archive_malformed`, `archive_damaged` (naming the object), `schema_malformed`,
 * `schema_newer_than_code`, `migration_edited`, `extension_missing`, `server_unsupported`, `archive_inconsistent` (naming
 * table, key or rule), `schema_not_applied`, `wrong_database`, `disk_full`; and, retryable, `store_unavailable`,
 * `database_unavailable`
 */
export async function restoreArchive(
  dependencies: RestoreDependencies,
  request: RestoreTarget,
): Promise<RestoredArchive> {
  const { connector, log, clock } = dependencies;
  const startedAt = clock();
  const manifest = await choose(dependencies, request);
  for (const purpose of ['unproven', 'schema'] as const) {
    for (const at of await sweepScratch(connector, purpose, startedAt)) {
      log.warn('A restore was killed; its database was dropped', { purpose, startedAt: at.toISOString() });
    }
  }
  const name = scratchName('unproven', connector.target.database, startedAt);
  const proof = await restoreInto(dependencies, await verifyArchive(dependencies, manifest), name);
  await renameDatabase(connector, name, request.targetDatabase).catch(async (error: unknown) => {
    await dropOrLog(connector, name, log);
    throw error;
  });
  return { manifest, ...proof, durationMs: clock().getTime() - startedAt.getTime() };
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
  const proof = await restoreInto(dependencies, await verifyArchive(dependencies, manifest), name);
  return { manifest, ...proof, durationMs: clock().getTime() - startedAt.getTime() };
}

/**
 * Restores a verified archive into a new database and proves it, in the order roles → database and settings → schema before
 * the rows → rows → schema after the rows → owners and privileges → newer migrations.
 *
 * @throws OperationError as {@link restoreArchive} does; the database is dropped then
 */
export async function restoreInto(
  dependencies: RestoreDependencies,
  archive: VerifiedArchive,
  name: string,
): Promise<RestoreProof> {
  const { connector, log } = dependencies;
  const deviations = new Deviations();
  const domain = new Domain(dependencies, archive.manifest, name);
  const { digest, ...made } = await createLoaded(dependencies, archive, name, deviations, domain);
  return droppedOnFailure(dependencies, name, async () => {
    const restored = await readCurrent({ connector, database: name, workerFile: dependencies.pgDumpWorker });
    const schemaDifferences =
      schemaDigest(restored) === digest
        ? []
        : assertSameSchema(await readArchivedSchema(dependencies, archive), restored, deviations.all());
    const proven = await domain.migrateAndCheck();
    report(log, deviations.all(), schemaDifferences);
    return { ...made, ...proven, deviations: deviations.all(), schemaDifferences };
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

/** Refuses a server that cannot take the schema, and makes the roles that it lacks. */
async function prepareServer(
  { connector }: RestoreDependencies,
  facts: SchemaFacts,
  deviations: Deviations,
): Promise<string[]> {
  return asAdministrator(connector, async (client) => {
    await assertRestorable(client, facts);
    const { created } = await restoreRoles(client, facts, deviations);
    return created;
  });
}

function asAdministrator<T>(
  connector: RestoreDependencies['connector'],
  work: Parameters<typeof withConnection<T>>[1],
): Promise<T> {
  return withConnection(connector, work, MAINTENANCE_DATABASE);
}

/** The platform's own part of a restored database: its migrations, and the rules of its domain. */
class Domain {
  private invariantsChecked: number | undefined;

  constructor(
    private readonly dependencies: RestoreDependencies,
    private readonly manifest: Manifest,
    private readonly name: string,
  ) {}

  /** Checks the rules, where no migration is pending: they are rules for the newest schema. */
  async checkWhenCurrent(): Promise<void> {
    const files = await readMigrationFiles(this.dependencies.migrationsDirectory);
    if (files.length > this.manifest.migrations.length) return;
    this.invariantsChecked = await this.connected((client) => assertInvariants(client, this.manifest.database));
  }

  /** Brings the schema up to date, and checks the rules if they were not checked before. */
  async migrateAndCheck(): Promise<Pick<RestoreProof, 'invariantsChecked' | 'migratedForward'>> {
    const { database, migrations } = this.manifest;
    return this.connected(async (client) => {
      // The identity is the archive's own by now: an archive of another database is refused here at the latest.
      await assertIdentity(client, database);
      const { applied } = await applyMigrations(client, database, this.dependencies.migrationsDirectory);
      this.invariantsChecked ??= await assertInvariants(client, database);
      return { invariantsChecked: this.invariantsChecked, migratedForward: applied.slice(migrations.length) };
    });
  }

  private connected<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const prepared = async (client: Client): Promise<T> => {
      await prepareSession(client, 0);
      return work(client);
    };
    return withConnection(this.dependencies.connector, prepared, this.name);
  }
}

function report(
  log: RestoreDependencies['log'],
  deviations: readonly Deviation[],
  schemaDifferences: readonly string[],
): void {
  for (const deviation of deviations) log.warn('The server did not take a part of the schema', { ...deviation });
  if (schemaDifferences.length > 0) {
    log.warn('The restored schema reads otherwise than the archived one: compare these objects', { schemaDifferences });
  }
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
