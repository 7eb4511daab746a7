import type { Client } from 'pg';
import type { Manifest } from '../archive/manifest';
import { withConnection } from '../database/connector';
import type { SweepLimits } from '../erasure/billing';
import { type ErasureReplay, type Replay, replayErasures } from '../erasure/replay';
import { assertIdentity } from '../database/identity';
import { prepareSession } from '../database/session';
import { readMigrationFiles } from '../migrations/files';
import { OperationError } from '../runtime/errors';
import { readCurrent } from '../schema/capture';
import { schemaDigest } from '../schema/compare';
import { type Deviations, stateOf } from '../schema/apply/deviations';
import { assertRestorable } from '../schema/apply/preflight';
import { restoreRoles } from '../schema/apply/roles';
import type { Deviation, SchemaFacts } from '../schema/contract';
import { readArchivedSchema, type SchemaDependencies } from './archived-schema';
import { assertSameSchema } from './compare-schema';
import { assertInvariants } from './invariants';
import type { LoadDependencies } from './load-into';
import { MAINTENANCE_DATABASE } from './new-database';
import { bringForward, unappliedMigration } from './pending-migrations';
import type { VerificationDependencies, VerifiedArchive } from './verified-archive';

/*
 * What a restore consists of besides the rows, in one call or in many.
 */

/** Class of SQLSTATE of a statement that names what the schema lacks. */
const UNKNOWN_TO_SCHEMA = /^42/;

export interface RestoreDependencies extends LoadDependencies, VerificationDependencies, SchemaDependencies {
  /** Who was erased since the backup, and has to be again before anything is handed over. */
  readonly erasures: ErasureReplay;
}

/**
 * Refuses a restore that could not keep people erased in the end, before hours are spent on loading it.
 *
 * @throws OperationError `erasure_ledger_unreadable` (retryable)
 */
export async function assertErasuresReadable({ erasures }: Pick<RestoreDependencies, 'erasures'>): Promise<void> {
  await erasures.ledger.read();
}

/** Refuses a server that cannot take the schema, and makes the roles that it lacks. */
export async function prepareServer(
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

export function asAdministrator<T>(
  connector: RestoreDependencies['connector'],
  work: Parameters<typeof withConnection<T>>[1],
): Promise<T> {
  return withConnection(connector, work, MAINTENANCE_DATABASE);
}

/**
 * Compares the schema of a restored database with the archived one.
 *
 * @param digest of the archived one. @default it is read again
 * @param excludedSchema of the restored database, which is no part of it
 * @returns what differs, to be looked at
 * @throws OperationError `schema_not_applied`
 */
export async function proveSchema(
  dependencies: RestoreDependencies,
  archive: Pick<VerifiedArchive, 'manifest' | 'objects'>,
  name: string,
  deviations: Deviations,
  { digest, excludedSchema }: { readonly digest?: string; readonly excludedSchema?: string },
): Promise<string[]> {
  const { connector, pgDumpWorker: workerFile } = dependencies;
  const present = { connector, database: name, workerFile, excludedSchema };
  const restored = await readCurrent(present);
  if (digest !== undefined && schemaDigest(restored) === digest) return [];
  const archived = await readArchivedSchema(dependencies, archive);
  const { lateChecks } = archived.facts;
  return assertSameSchema(
    archived,
    lateChecks ? restored : await readCurrent({ ...present, lateChecks }),
    deviations.all(),
  );
}

/** A restored database whose schema is up to date. */
export interface MigratedDomain {
  readonly invariantsChecked: number;
  readonly migratedForward: readonly string[];
}

/** What one call did to keep people erased. */
export type ErasedAgain = Pick<Replay, 'done' | 'continueFrom'> & { readonly rowsErased: number };

/** The platform's own part of a restored database: its migrations, and the rules of its domain. */
export class Domain {
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

  /**
   * Brings the schema up to date, and checks the rules if they were not checked before.
   *
   * @param deviations gets a pending migration that fails; without it, the rules of the newest schema cannot be checked
   */
  async migrateAndCheck(deviations: Deviations): Promise<MigratedDomain> {
    const { database, migrations } = this.manifest;
    return this.connected(async (client) => {
      // The identity is the archive's own by now: an archive of another database is refused here at the latest.
      await assertIdentity(client, database);
      const { applied, unapplied } = await bringForward(client, database, this.dependencies.migrationsDirectory);
      if (unapplied) deviations.addFirst(unapplied);
      else this.invariantsChecked ??= await assertInvariants(client, database);
      const migratedForward = applied.slice(migrations.length);
      return { invariantsChecked: this.invariantsChecked ?? 0, migratedForward };
    });
  }

  /**
   * Erases again who was erased since the backup, once the schema is up to date, as far as the limits allow.
   *
   * @param deviations of which one may be the pending migration that failed
   * @throws OperationError `migration_failed` when people cannot be erased again without that migration
   */
  async eraseAgain(deviations: Deviations, limits: SweepLimits = {}): Promise<ErasedAgain> {
    const { ledger, hooks } = this.dependencies.erasures;
    // Again, since people may have been erased while the rows were loaded.
    const erasures = await ledger.read();
    const unapplied = unappliedMigration(deviations.all());
    try {
      const { reduced, ...progress } = await this.connected((client) =>
        replayErasures(client, this.manifest.database, erasures, hooks, limits),
      );
      return { ...progress, rowsErased: Object.values(reduced).reduce((sum, rows) => sum + rows, 0) };
    } catch (cause) {
      if (!unapplied || !UNKNOWN_TO_SCHEMA.test(stateOf(cause))) throw cause;
      throw new OperationError(
        'migration_failed',
        `People were erased since the backup, and cannot be erased again in the schema before ${unapplied.object}, so nothing is handed over: correct that migration, deploy it, and restore again. ${unapplied.reason}`,
        { cause },
      );
    }
  }

  private connected<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const prepared = async (client: Client): Promise<T> => {
      await prepareSession(client, 0);
      return work(client);
    };
    return withConnection(this.dependencies.connector, prepared, this.name);
  }
}

export function reportDifferences(
  log: RestoreDependencies['log'],
  deviations: readonly Deviation[],
  schemaDifferences: readonly string[],
): void {
  const unapplied = unappliedMigration(deviations);
  for (const deviation of deviations) {
    if (deviation !== unapplied) log.warn('The server did not take a part of the schema', { ...deviation });
  }
  if (unapplied) {
    log.warn('A pending migration failed on the restored database: correct it, and deploy it', { ...unapplied });
  }
  if (schemaDifferences.length > 0) {
    log.warn('The restored schema reads otherwise than the archived one: compare these objects', { schemaDifferences });
  }
}
