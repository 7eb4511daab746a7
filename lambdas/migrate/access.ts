import { type ClientBase, DatabaseError } from 'pg';
import * as z from 'zod';
import { applyAccess, setPassword } from '../../core/access/apply';
import { FUNCTION_LOGINS, type FunctionLogin, type Person } from '../../core/access/contract';
import type { AccessPlan } from '../../core/access/change';
import { type AccessWishes, planAccess } from '../../core/access/plan';
import { ACCESS_POLICIES, type AccessPolicy } from '../../core/access/policy';
import { createConnector, type DatabaseConnector, targetAt, withConnection } from '../../core/database/connector';
import { isLockTimeout } from '../../core/database/lock-timeout';
import { assertHostBeside } from '../../core/database/rds-host';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { Secrets } from '../../core/runtime/secrets';
import type { AccessReport, CheckedMigrateRequest } from './contract';

/** Who is to log in besides the user of the migrations. */
export interface AccessSettings {
  readonly secrets: Secrets;
  /** Complete ARNs of the secrets of the logins. */
  readonly loginSecrets: Readonly<Partial<Record<FunctionLogin, string>>>;
  readonly people: readonly Person[];
}

export type AccessRequest = Extract<CheckedMigrateRequest, { readonly action: 'access' }>;

const credentials = z.object({ username: z.string().min(1), password: z.string().min(1) });
export type Credentials = z.infer<typeof credentials>;

/** SQLSTATEs of a role or a list of privileges that another session has just made or changed: as a key, and as a row. */
const CONCURRENT = new Set(['42710', '23505', 'XX000']);
const ATTEMPTS = 3;

/** Refusals of a password, a user that does not exist among them, and of one that may not log in or connect. */
const REFUSED_LOGIN = /^28|^42501$/;

/**
 * Compares roles and privileges of a database with its policy and, unless dry, makes them so: all changes or none, then the
 * passwords of logins that cannot log in with what their secret holds.
 *
 * @param connector connects as the user of the migrations
 * @throws OperationError `access_refused` with PostgreSQL's words; no role or privilege was changed then
 */
export async function bringAccessUp(
  connector: DatabaseConnector,
  settings: AccessSettings | undefined,
  { database, host, keep, dryRun }: AccessRequest,
): Promise<AccessReport> {
  const { loginSecrets = {}, people = [] } = settings ?? {};
  const owner = ownerAt(connector, settings, host);
  const logins = FUNCTION_LOGINS.filter((login) => loginSecrets[login] !== undefined);
  return withConnection(owner, async (client) => {
    const wishes = { name: database, logins, people, keep, whole: connector.target.managed !== 'elsewhere' };
    const plan = dryRun
      ? await planAccess(client, ACCESS_POLICIES[database], wishes)
      : await makeSo(client, ACCESS_POLICIES[database], wishes);
    const stale = await staleLogins(owner, settings);
    for (const { username, password } of dryRun ? [] : stale) await setPassword(client, username, password);
    return {
      database,
      dryRun,
      changes: [...plan.changes],
      passwords: stale.map(({ username }) => username),
      locksOut: [...plan.locksOut],
      obstacles: [...plan.obstacles],
    };
  });
}

/**
 * Connects as the user of the migrations, to the configured server or a recovered instance beside it.
 *
 * @throws InvalidRequestError for a host that is not beside the configured one, or without settings
 */
export function ownerAt(
  connector: DatabaseConnector,
  settings: Pick<AccessSettings, 'secrets'> | undefined,
  host: string | undefined,
): DatabaseConnector {
  if (host === undefined) return connector;
  assertHostBeside(connector.target.host, host, 'host');
  if (settings === undefined) throw new InvalidRequestError('host: needs the secrets of the logins');
  return createConnector(targetAt(connector.target, { host }), settings.secrets, 'migrate');
}

/** Logins that cannot log in with what their secret holds now. */
export async function staleLogins(
  owner: DatabaseConnector,
  settings: AccessSettings | undefined,
): Promise<Credentials[]> {
  const stale: Credentials[] = [];
  for (const login of FUNCTION_LOGINS) {
    const arn = settings?.loginSecrets[login];
    if (arn === undefined) continue;
    const found = await settings?.secrets.read(arn, credentials, 'current');
    if (found && !(await canLogIn(owner, found))) stale.push(found);
  }
  return stale;
}

/** Plans and applies; again where another session made the same roles, which belong to the whole server, meanwhile. */
async function makeSo(client: ClientBase, policy: AccessPolicy, wishes: AccessWishes): Promise<AccessPlan> {
  for (let attempt = 1; ; attempt += 1) {
    const plan = await planAccess(client, policy, wishes);
    try {
      await applyAccess(client, plan.changes);
      return plan;
    } catch (cause) {
      if (!(cause instanceof DatabaseError) || isLockTimeout(cause)) throw cause;
      if (attempt < ATTEMPTS && CONCURRENT.has(cause.code ?? '')) continue;
      throw new OperationError(
        'access_refused',
        `PostgreSQL refuses: ${cause.message}. Nothing was changed: correct what it names, then repeat the command`,
        { cause },
      );
    }
  }
}

export async function canLogIn({ target }: DatabaseConnector, found: Credentials): Promise<boolean> {
  const only: Secrets = { read: async (_arn, schema) => schema.parse(found) };
  try {
    await withConnection(createConnector(target, only, 'migrate'), async (client) => client.query('SELECT 1'));
    return true;
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown };
    if (cause instanceof DatabaseError && REFUSED_LOGIN.test(cause.code ?? '')) return false;
    throw error;
  }
}
