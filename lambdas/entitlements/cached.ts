import type { ClientBase } from 'pg';
import * as z from 'zod';
import type { EntitlementCache } from '../../core/entitlements/entitlement-cache';
import type { EntitlementChange } from '../../core/entitlements/recompute';
import type { cachedReport, dropCachedReport, DropScope } from './contract';

export interface CachedDependencies {
  /** Undefined where the environment has no cache. */
  readonly cache: Pick<EntitlementCache, 'peek' | 'drop'> | undefined;
  /** Runs `work` with a connection to the billing database. */
  readonly useDatabase: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
}

const stored = z.object({ version: z.int(), entitlements: z.array(z.object({ feature: z.string() })).optional() });

/** What the cache has of a user, beside the version of the database. */
export async function showCached(
  { cache, useDatabase }: CachedDependencies,
  userId: string,
  projectId: string,
): Promise<z.infer<typeof cachedReport>> {
  const [version] = await useDatabase((client) => versionsOf(client, { userId, projectId }));
  const databaseVersion = version?.version ?? 0;
  const nothing = { cachedVersion: null, databaseVersion, outdated: false, features: [] };
  if (cache === undefined) return { state: 'none', ...nothing };
  const value = await cache.peek(userId, projectId);
  if (value === undefined) return { state: 'unavailable', ...nothing };
  if (value === null) return { state: 'missing', ...nothing };
  const entry = stored.safeParse(parse(value));
  if (!entry.success) return { state: 'unreadable', ...nothing };
  const { version: cachedVersion, entitlements } = entry.data;
  return {
    state: entitlements === undefined ? 'dropped' : 'stored',
    cachedVersion,
    databaseVersion,
    outdated: entitlements !== undefined && cachedVersion < databaseVersion,
    features: [...new Set(entitlements?.map(({ feature }) => feature))],
  };
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

/** Drops entries of the cache. */
export async function dropCached(
  { cache, useDatabase }: CachedDependencies,
  scope: DropScope,
): Promise<z.infer<typeof dropCachedReport>> {
  if (cache === undefined) return { state: 'none', dropped: 0 };
  const known = await useDatabase((client) => versionsOf(client, scope));
  const single =
    scope !== 'all' && scope.userId !== undefined && scope.projectId !== undefined && known.length === 0
      ? [{ userId: scope.userId, projectId: scope.projectId, version: 0 }]
      : [];
  const entries = [...known, ...single];
  const isAnswered = await cache.drop(entries);
  return isAnswered ? { state: 'dropped', dropped: entries.length } : { state: 'unavailable', dropped: 0 };
}

async function versionsOf(client: ClientBase, scope: DropScope): Promise<EntitlementChange[]> {
  const { userId = null, projectId = null } = scope === 'all' ? {} : scope;
  const { rows } = await client.query<{ userId: string; projectId: string; version: string }>(
    `SELECT user_id AS "userId", project_id AS "projectId", version FROM billing.entitlement_versions
     WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR project_id = $2)`,
    [userId, projectId],
  );
  return rows.map(({ version, ...row }) => ({ ...row, version: Number(version) }));
}
