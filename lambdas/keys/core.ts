import type { ClientBase } from 'pg';
import { inTransaction, type RunStatement } from '../../core/database/transaction';
import { digestOf, newKey } from '../../core/keys/key';
import type { Scope } from '../../core/keys/contract';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { ApiKey, CheckedKeysRequest, KeysReport } from './contract';
import { EXPIRE_KEY, FIND_KEY, INSERT_KEY, LIST_KEYS, REVOKE_KEY } from './statements';

export interface KeysDependencies {
  /** Runs `work` with a connection to the billing database. */
  readonly useDatabase: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
  /** The secret that keys are hashed under. */
  readonly keySecret: () => Promise<string>;
}

type Request<Action extends CheckedKeysRequest['action']> = Extract<CheckedKeysRequest, { readonly action: Action }>;

/**
 * Creates, lists, rotates or revokes keys.
 *
 * @throws OperationError `key_not_found`, `key_not_active`, `database_unavailable`
 */
export async function administerKeys(
  { useDatabase, keySecret }: KeysDependencies,
  request: CheckedKeysRequest,
): Promise<KeysReport> {
  switch (request.action) {
    case 'create': {
      const secret = await keySecret();
      return useDatabase((client) => createKey(client, secret, request));
    }
    case 'rotate': {
      const secret = await keySecret();
      return useDatabase((client) => rotateKey(client, secret, request));
    }
    case 'revoke':
      return useDatabase((client) => revokeKey(client, request));
    default:
      return useDatabase(async (client) => ({
        action: 'list',
        keys: (await client.query<KeyRow>(LIST_KEYS.text)).rows.map(describe),
      }));
  }
}

async function createKey(client: ClientBase, secret: string, request: Request<'create'>): Promise<KeysReport> {
  const { dryRun, expiresAt } = request;
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) {
    throw new InvalidRequestError(`expiresAt: expected a moment to come, received ${expiresAt}`);
  }
  if (dryRun) return { action: 'create', dryRun, key: null, created: null };
  return inTransaction(client, async (run) => {
    const { key, created } = await insertKey(run, secret, request);
    return { action: 'create', dryRun, key, created };
  });
}

/** The new key lives as long as the old one was made for. */
async function rotateKey(
  client: ClientBase,
  secret: string,
  { id, overlapHours, by, dryRun }: Request<'rotate'>,
): Promise<KeysReport> {
  return inTransaction(client, async (run) => {
    const old = await findKey(run, id);
    if (old.state !== 'active' || old.rotatedTo !== null) {
      const state = old.state === 'active' ? `replaced by ${old.rotatedTo}` : old.state;
      throw new OperationError('key_not_active', `Key ${id} is ${state}: create a new one`);
    }
    if (dryRun) return { action: 'rotate', dryRun, key: null, created: null, previous: old };
    const lifetimeMs = old.expiresAt === null ? null : Date.parse(old.expiresAt) - Date.parse(old.createdAt);
    const expiresAt = lifetimeMs === null ? null : new Date(Date.now() + lifetimeMs).toISOString();
    const { name, scopes, projects } = old;
    const { key, created } = await insertKey(run, secret, { name, scopes, projects, expiresAt, by });
    const [previous] = await run<KeyRow>(EXPIRE_KEY, [id, overlapHours, created.id]);
    return { action: 'rotate', dryRun, key, created, previous: previous ? describe(previous) : old };
  });
}

async function revokeKey(client: ClientBase, { id, by, dryRun }: Request<'revoke'>): Promise<KeysReport> {
  return inTransaction(client, async (run) => {
    const known = await findKey(run, id);
    if (dryRun) return { action: 'revoke', dryRun, revoked: known };
    const [row] = await run<KeyRow>(REVOKE_KEY, [id, by]);
    // Revoked before: who did that stays on record.
    return { action: 'revoke', dryRun, revoked: row ? describe(row) : known };
  });
}

async function insertKey(
  run: RunStatement,
  secret: string,
  request: {
    readonly name: string;
    readonly scopes: readonly Scope[];
    readonly projects: readonly string[] | null;
    readonly expiresAt: string | null;
    readonly by: string;
  },
): Promise<{ readonly key: string; readonly created: ApiKey }> {
  const { key, id } = newKey();
  const { name, scopes, projects, expiresAt, by } = request;
  const [row] = await run<KeyRow>(INSERT_KEY, [id, name, digestOf(key, secret), scopes, projects, expiresAt, by]);
  if (row === undefined) throw new Error('PostgreSQL returned no row of the new key');
  return { key, created: describe(row) };
}

async function findKey(run: RunStatement, id: string): Promise<ApiKey> {
  const [row] = await run<KeyRow>(FIND_KEY, [id]);
  if (row === undefined) throw new OperationError('key_not_found', `There is no key ${id}: see \`ops keys list\``);
  return describe(row);
}

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: Scope[];
  readonly projects: string[] | null;
  readonly state: ApiKey['state'];
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly revoked_by: string | null;
  readonly rotated_to: string | null;
  readonly last_used_at: Date | null;
}

function describe(row: KeyRow): ApiKey {
  const iso = (time: Date | null): string | null => time?.toISOString() ?? null;
  const { id, name, scopes, projects, state } = row;
  return {
    id,
    name,
    scopes,
    projects,
    state,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
    expiresAt: iso(row.expires_at),
    revokedAt: iso(row.revoked_at),
    revokedBy: row.revoked_by,
    rotatedTo: row.rotated_to,
    lastUsedAt: iso(row.last_used_at),
  };
}
