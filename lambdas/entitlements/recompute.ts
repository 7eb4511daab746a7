import type { ClientBase } from 'pg';
import { inTransaction, runSteps, type RunStatement, type Step } from '../../core/database/transaction';
import type { EntitlementCache } from '../../core/entitlements/entitlement-cache';
import { recomputeEntitlements, type EntitlementChange } from '../../core/entitlements/recompute';
import type { Log } from '../../core/runtime/telemetry';
import type { RecomputeScope } from './contract';
import { LOCK_PURCHASES, LOCK_SUBSCRIPTIONS, pageOfSources } from './statements';

/** Sources computed in one transaction. Higher holds their locks longer, and the processor waits for them. */
const BATCH_SIZE = 500;

export interface RecomputeDependencies {
  /** A connection to the billing database that nothing else uses meanwhile. */
  readonly client: ClientBase;
  readonly cache: EntitlementCache;
  /** Whether there is time for another batch. */
  readonly hasTime: () => boolean;
  readonly log: Log;
}

export interface RecomputeSummary {
  /** Subscriptions and purchases whose entitlements were computed. */
  readonly sources: number;
  /** Changes of a user's entitlements in a project; none when the stored ones were right. */
  readonly changed: number;
  /** Where the next call continues, when the time was up before everything was computed. */
  readonly cursor?: string;
}

export interface RecomputeOptions {
  /** `cursor` of an earlier summary, to continue where it stopped. @default from the beginning */
  readonly cursor?: string | undefined;
  /** Rolls every batch back, so that only the count remains. @default false */
  readonly dryRun?: boolean;
}

/**
 * Recomputes the entitlements in scope from the stored state, including those of sources that no longer exist, in batches
 * of one transaction each. Safe to repeat, and to run beside the processor.
 *
 * @throws PostgreSQL's error; earlier batches stay committed
 */
export async function recompute(
  { client, cache, hasTime, log }: RecomputeDependencies,
  scope: RecomputeScope,
  { cursor = '', dryRun = false }: RecomputeOptions = {},
): Promise<RecomputeSummary> {
  let sources = 0;
  let changed = 0;
  for (let after = cursor; ;) {
    if (!hasTime()) return { sources, changed, cursor: after };
    const ids = await nextSources(client, scope, after);
    const last = ids.at(-1);
    if (last === undefined) return { sources, changed };
    const changes = await recomputeBatch(client, ids, { dryRun });
    if (!dryRun) await cache.invalidate(changes);
    sources += ids.length;
    changed += changes.length;
    after = last;
    log.info('Recomputed entitlements', { sources, changed, dryRun, cursor: after });
  }
}

async function nextSources(client: ClientBase, scope: RecomputeScope, after: string): Promise<string[]> {
  const { text, values } = pageOfSources(scope, after, BATCH_SIZE);
  return (await client.query<{ id: string }>(text, values)).rows.map(({ id }) => id);
}

/**
 * A transaction that stores a new state of one of these sources has either committed or waits for the locks, so the newest
 * state is computed.
 */
const LOCK_STEPS: readonly Step<readonly string[]>[] = [LOCK_SUBSCRIPTIONS, LOCK_PURCHASES].map((statement) => ({
  statement,
  values: (ids) => [ids],
}));

/** Thrown to roll back a batch whose changes are only to be counted. */
class DryRun extends Error {
  constructor(readonly changes: EntitlementChange[]) {
    super('A dry run is rolled back');
  }
}

/**
 * Computes the entitlements of some sources in one transaction.
 *
 * @param change sends what is to be changed before, while nothing else changes the sources. @default nothing
 * @returns whose entitlements changed; in a dry run, which is rolled back, whose would
 */
export async function recomputeBatch(
  client: ClientBase,
  ids: readonly string[],
  { dryRun, change }: { readonly dryRun: boolean; readonly change?: (run: RunStatement) => Promise<unknown> },
): Promise<EntitlementChange[]> {
  try {
    return await inTransaction(client, async (run) => {
      const [, , changes] = await Promise.all([
        runSteps(run, LOCK_STEPS, ids),
        change?.(run),
        recomputeEntitlements(run, { sources: ids, payments: ids }),
      ]);
      if (dryRun) throw new DryRun(changes);
      return changes;
    });
  } catch (error) {
    if (error instanceof DryRun) return error.changes;
    throw error;
  }
}
