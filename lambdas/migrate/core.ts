import type { ClientBase } from 'pg';
import { refreshGrants } from '../../core/access/apply';
import { ACCESS_POLICIES } from '../../core/access/policy';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { assertNotMoving } from '../../core/database/move-freeze';
import { LOOK_AT_STATUS, recordApplied, recordRolledBack, rollBackLast } from '../../core/migrations/history';
import { appliedAt } from '../../core/migrations/journal';
import { applyMigrations, type MigrationStatus, migrationStatus } from '../../core/migrations/runner';
import { checkStructure, remainsOf } from '../../core/restore/expected-structure';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { AnyMigrateReport, CheckedMigrateRequest, RollbackReport } from './contract';
import { type AccessSettings, bringAccessUp } from './access';
import { bringPasswords } from './passwords';
import { planMigrations, planRollback } from './plan';
import { validateMigrations } from './validate';

export interface MigrateDependencies {
  readonly connector: DatabaseConnector;
  /** Folder with the migrations of the connector's database. */
  readonly migrationsDirectory: string;
  readonly clock: () => Date;
  /** Who is to log in besides the user of the migrations. @default - the groups alone are made */
  readonly access?: AccessSettings;
}

type Request<Action> = Extract<CheckedMigrateRequest, { readonly action: Action }>;

/**
 * Lists, plans, applies, validates or takes back the migrations of one database.
 *
 * @throws OperationError as {@link applyMigrations} and {@link rollBackLast} describe, `migration_not_resolved`, `move_underway`,
 * or `database_unavailable`
 */
export async function migrate(
  dependencies: MigrateDependencies,
  request: CheckedMigrateRequest,
): Promise<AnyMigrateReport> {
  const { connector, migrationsDirectory } = dependencies;
  const { name: database, managed } = connector.target;
  if ('adopt' in request && request.adopt !== undefined && managed !== 'elsewhere') {
    throw new InvalidRequestError(
      `adopt: the ${database} database is managed here, by migrations that would be applied among the tables of another tool; say \`managed: elsewhere\` in the file of the environment and deploy`,
    );
  }
  // A recovered instance is not the one that moves, and that may be gone.
  const isBeside = request.action === 'access' && request.host !== undefined;
  if ('dryRun' in request && !request.dryRun && !isBeside) await withConnection(connector, assertNotMoving);
  if (request.action === 'access') {
    const { access } = dependencies;
    return request.passwordsOnly
      ? bringPasswords(connector, access, request)
      : bringAccessUp(connector, access, request);
  }
  return withConnection(connector, async (client) => {
    switch (request.action) {
      case 'status':
        return { dryRun: true, ...(await migrationStatus(client, database, migrationsDirectory)) };
      case 'plan':
        return planMigrations(client, dependencies, request.adopt);
      case 'validate':
        return validateMigrations(client, dependencies);
      case 'apply': {
        const { dryRun, adopt } = request;
        const before = await migrationStatus(client, database, migrationsDirectory, adopt);
        if (dryRun) return { dryRun, ...before };
        const status = await applyMigrations(client, database, migrationsDirectory, { adopt });
        // What is made here is closed from the start: a database that was empty locks nobody out.
        if (before.current === null && managed !== 'elsewhere' && dependencies.access !== undefined) {
          await closeNew(connector, dependencies.access);
        } else {
          await refreshGrants(client, ACCESS_POLICIES[database], { whole: managed !== 'elsewhere' });
        }
        return { dryRun, ...status };
      }
      case 'rollback':
        return rollBack(client, dependencies, request);
      default:
        return { dryRun: request.dryRun, ...(await resolve(client, dependencies, request)) };
    }
  });
}

/** A user of the migrations who may make no roles has migrated all the same: `ops access plan` says what is left. */
async function closeNew(connector: DatabaseConnector, access: AccessSettings): Promise<void> {
  const { name: database } = connector.target;
  await bringAccessUp(connector, access, {
    action: 'access',
    database,
    keep: [],
    passwordsOnly: false,
    dryRun: false,
  }).catch((error: unknown) => {
    if (!(error instanceof OperationError && error.code === 'access_refused')) throw error;
  });
}

async function rollBack(
  client: ClientBase,
  dependencies: MigrateDependencies,
  { dryRun, name }: Request<'rollback'>,
): Promise<RollbackReport> {
  const { connector, migrationsDirectory } = dependencies;
  const database = connector.target.name;
  const status = await migrationStatus(client, database, migrationsDirectory);
  const at = status.current === null ? undefined : await appliedAt(client, status.current);
  if (at === undefined)
    throw new OperationError(
      'migration_not_last',
      `No migration of ${database} is applied, so none can be taken back. ${LOOK_AT_STATUS}`,
    );
  const { down } = await planRollback(client, dependencies, status);
  if (dryRun) return { dryRun, ...status, down, appliedAt: at.toISOString() };
  if (name === undefined) {
    throw new InvalidRequestError('name: expected the last applied migration, so that asking twice takes back one');
  }
  return {
    dryRun,
    ...(await rollBackLast(client, database, migrationsDirectory, name)),
    down,
    appliedAt: at.toISOString(),
  };
}

/** Records what was done by hand, once the schema shows that it was. */
async function resolve(
  client: ClientBase,
  { connector, migrationsDirectory, clock }: MigrateDependencies,
  { name, as, dryRun }: Request<'resolve'>,
): Promise<MigrationStatus> {
  const database = connector.target.name;
  const expected = { connector, database, migrationsDirectory, version: name, startedAt: clock() };
  const assertMatches = async (): Promise<void> => {
    const { problems, notChecked } = await checkStructure(client, expected);
    const [first, ...rest] = notChecked === undefined ? problems : [notChecked];
    if (first !== undefined) throw notResolved(`${name} is not applied in full: ${first}`, rest.length);
  };
  const assertUndone = async (before: string | null): Promise<void> => {
    const [first, ...rest] = await remainsOf(client, expected, before);
    if (first !== undefined) throw notResolved(`${name} is not undone: the ${first} is still there`, rest.length);
  };
  if (dryRun) {
    const status = await migrationStatus(client, database, migrationsDirectory);
    const expectedName = as === 'applied' ? status.pending[0] : status.applied.at(-1);
    if (name !== expectedName) {
      const which = as === 'applied' ? 'next' : 'last applied';
      throw new OperationError(
        'migration_not_last',
        `${name} is not the ${which} migration: ${expectedName ?? 'none'} is. ${LOOK_AT_STATUS}`,
      );
    }
    if (as === 'applied') await assertMatches();
    else await assertUndone(status.applied.at(-2) ?? null);
    return status;
  }
  return as === 'applied'
    ? recordApplied(client, database, migrationsDirectory, name, assertMatches)
    : recordRolledBack(client, database, migrationsDirectory, name, assertUndone);
}

function notResolved(message: string, more: number): OperationError {
  return new OperationError('migration_not_resolved', more === 0 ? message : `${message} (and ${more} more)`);
}
