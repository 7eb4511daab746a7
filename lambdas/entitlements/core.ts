import type { ClientBase } from 'pg';
import { readEntitlements } from '../../core/entitlements/read';
import { unownedSources } from '../../core/entitlements/unowned';
import { previewRules, readRules, replaceRules } from '../../core/entitlements/rules';
import type { EntitlementCache } from '../../core/entitlements/entitlement-cache';
import { assignOwner } from './assign';
import { dropCached, showCached } from './cached';
import type { CheckedEntitlementsRequest, EntitlementsReport } from './contract';
import { recompute, type RecomputeDependencies } from './recompute';

/** Objects that one answer lists: a page that Lambda's 6 MB hold with ease. */
const MAX_LISTED = 1_000;

export interface EntitlementsDependencies extends Omit<RecomputeDependencies, 'cache' | 'client'> {
  /** Runs `work` with a connection to the billing database. */
  readonly useDatabase: <T>(work: (client: ClientBase) => Promise<T>) => Promise<T>;
  readonly clock: () => Date;
  readonly cache: EntitlementCache;
  /** Whether the environment has a cache. */
  readonly hasCache: boolean;
}

/**
 * Computes entitlements again, changes their rules or the owner of a purchase, or answers what a user may use.
 *
 * @throws OperationError `database_unavailable`, or what PostgreSQL threw; batches before stay committed
 */
export function administerEntitlements(
  dependencies: EntitlementsDependencies,
  request: CheckedEntitlementsRequest,
): Promise<EntitlementsReport> {
  const { useDatabase, clock, cache } = dependencies;
  const cached = { useDatabase, cache: dependencies.hasCache ? cache : undefined };
  switch (request.action) {
    case 'cached':
      return showCached(cached, request.userId, request.projectId);
    case 'drop-cached':
      return dropCached(cached, request.scope);
    case 'read':
      return readEntitlements({ useDatabase, cache, clock }, request.userId, request.projectId);
    case 'get-rules':
      return useDatabase(async (client) => ({ rules: await readRules(client) }));
    case 'recompute': {
      const { scope, cursor, dryRun } = request;
      return useDatabase(async (client) => ({
        dryRun,
        ...(await recompute({ ...dependencies, client }, scope, { cursor, dryRun })),
      }));
    }
    case 'unowned':
      return useDatabase((client) => listUnowned(client, request.after));
    case 'assign':
      return useDatabase((client) => assignOwner({ ...dependencies, client }, request));
    default:
      return useDatabase((client) => putRules({ ...dependencies, client }, request));
  }
}

async function listUnowned(client: ClientBase, after: string | undefined): Promise<EntitlementsReport> {
  const sources = await unownedSources(client, { after, limit: MAX_LISTED });
  const last = sources.at(-1);
  return {
    unowned: sources.map(({ createdAt, ...source }) => ({ ...source, createdAt: createdAt.toISOString() })),
    ...(sources.length < MAX_LISTED || last === undefined ? {} : { after: last.id }),
  };
}

async function putRules(
  dependencies: RecomputeDependencies,
  { rules, dryRun }: Extract<CheckedEntitlementsRequest, { readonly action: 'put-rules' }>,
): Promise<EntitlementsReport> {
  const { client, log } = dependencies;
  if (dryRun) return { dryRun, rules: rules.length, ...(await previewRules(client, rules)) };
  await replaceRules(client, rules);
  log.info('Entitlement rules replaced', { rules: rules.length });
  return { dryRun, rules: rules.length, ...(await recompute(dependencies, 'all')) };
}
