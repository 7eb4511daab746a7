import type { ClientBase } from 'pg';
import type { Scope } from './contract';
import { keyId, matches } from './key';

/** Seconds in which failures are counted, and for which an address is then refused. */
export const FAILURE_WINDOW_SECONDS = 300;
/** Failures from one address. Lower refuses an office where one client has a wrong key; higher helps only guessing. */
export const MAX_FAILURES_PER_ADDRESS = 50;
/** Failures of one key from one address. */
export const MAX_FAILURES_PER_KEY = 10;
/** Seconds that `last_used_at` may be behind: each update is a write. */
const LAST_USED_SECONDS = 60;

/** Whom a request comes from. */
export interface Caller {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Null: every project. */
  readonly projects: readonly string[] | null;
}

export type Authentication =
  | { readonly outcome: 'authenticated'; readonly caller: Caller }
  /** Unknown, wrong, expired or revoked: the caller is not told which. */
  | { readonly outcome: 'rejected'; readonly reason: string }
  | { readonly outcome: 'throttled'; readonly retryAfterSeconds: number };

export interface Attempt {
  /** What was presented as the key. */
  readonly key: string;
  /** Address that it came from. */
  readonly address: string;
  /** Secret that keys are hashed under. */
  readonly secret: string;
}

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly digest: Buffer;
  readonly scopes: Scope[];
  readonly projects: string[] | null;
  readonly state: 'active' | 'expired' | 'revoked';
  readonly used_lately: boolean;
}

/**
 * Decides whose key it is, by the database: nothing is remembered, so that a revoked key is refused from the next request
 * on. Counts a failure, and refuses an address with too many of them before it looks at the key.
 *
 * @throws the database's error
 */
export async function authenticate(client: ClientBase, { key, address, secret }: Attempt): Promise<Authentication> {
  const id = keyId(key);
  const buckets = [`address ${address}`, ...(id === undefined ? [] : [`key ${id} ${address}`])];
  const { wait, key: row } = await lookUp(client, id, buckets);
  if (wait > 0) return { outcome: 'throttled', retryAfterSeconds: wait };
  if (!matches(key, secret, row?.digest) || row === undefined) {
    await countFailure(client, buckets);
    return { outcome: 'rejected', reason: id === undefined ? 'malformed' : 'unknown' };
  }
  if (row.state !== 'active') {
    await countFailure(client, buckets);
    return { outcome: 'rejected', reason: row.state };
  }
  if (!row.used_lately) await client.query('UPDATE billing.api_keys SET last_used_at = now() WHERE id = $1', [row.id]);
  const { name, scopes, projects } = row;
  return { outcome: 'authenticated', caller: { keyId: row.id, name, scopes, projects } };
}

/** Whether the key allows what needs the scope. */
export function hasScope({ scopes }: Caller, scope: Scope): boolean {
  return scopes.includes(scope) || scopes.includes('admin');
}

/** Whether the key is for the project. */
export function hasProject({ projects }: Caller, projectId: string): boolean {
  return projects === null || projects.includes(projectId);
}

/** Of the key and the failures, in one round trip: it is part of every request. */
async function lookUp(
  client: ClientBase,
  id: string | undefined,
  buckets: readonly string[],
): Promise<{ readonly wait: number; readonly key: KeyRow | undefined }> {
  const { rows } = await client.query<KeyRow & { readonly wait: number | null }>({
    name: 'look_up_api_key',
    text: `SELECT id, name, digest, scopes, projects,
             CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'active' END AS state,
             coalesce(last_used_at > now() - make_interval(secs => $3), false) AS used_lately,
             (SELECT max(ceil(extract(epoch FROM window_started_at + make_interval(secs => $4) - now())))::int
              FROM billing.api_key_failures
              WHERE bucket = ANY ($2::text[]) AND failures >= CASE WHEN bucket LIKE 'key %' THEN $5::int ELSE $6::int END) AS wait
           FROM (SELECT) AS always LEFT JOIN billing.api_keys ON id = $1`,
    values: [
      id ?? null,
      buckets,
      LAST_USED_SECONDS,
      FAILURE_WINDOW_SECONDS,
      MAX_FAILURES_PER_KEY,
      MAX_FAILURES_PER_ADDRESS,
    ],
  });
  const [row] = rows;
  // Without a key, the only row has nothing but the wait.
  return { wait: row?.wait ?? 0, key: row?.id ? row : undefined };
}

async function countFailure(client: ClientBase, buckets: readonly string[]): Promise<void> {
  await client.query(
    `INSERT INTO billing.api_key_failures AS known (bucket, failures, window_started_at)
     SELECT bucket, 1, now() FROM unnest($1::text[]) AS bucket
     ON CONFLICT (bucket) DO UPDATE SET
       failures = CASE WHEN known.window_started_at > now() - make_interval(secs => $2) THEN known.failures + 1 ELSE 1 END,
       window_started_at = CASE WHEN known.window_started_at > now() - make_interval(secs => $2)
                                THEN known.window_started_at ELSE now() END`,
    [buckets, FAILURE_WINDOW_SECONDS],
  );
  // No job has to: what a flood of addresses left is gone with the next failure.
  await client.query(
    'DELETE FROM billing.api_key_failures WHERE window_started_at < now() - make_interval(secs => $1)',
    [2 * FAILURE_WINDOW_SECONDS],
  );
}
