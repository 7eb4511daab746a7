import type { ClientBase } from 'pg';
import { inTransaction } from '../../core/database/transaction';
import type { EntitlementCache } from '../../core/entitlements/entitlement-cache';
import { recomputeEntitlements, type EntitlementChange } from '../../core/entitlements/recompute';
import type { Log } from '../../core/runtime/telemetry';
import type { RecomputeScope } from './contract';
import { LOCK_PURCHASES, LOCK_SUBSCRIPTIONS, pageOfSources } from './statements';

/** Sources computed in one transaction. More holds their locks longer, and the processor waits for them. */
const BATCH_SIZE = 500;

export interface RecomputeDependencies {
  /** A connection of the call's own to the billing database. */
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
  /** Where to go on, when the time was up before everything was computed. */
  readonly cursor?: string;
}

/**
 * Computes the entitlements in scope again from the stored state, those of sources that are gone among them, in batches
 * of a transaction each. Safe to repeat, and beside a running processor.
 *
 * @param cursor of an earlier summary, to go on where it stopped
 * @throws what PostgreSQL threw; batches before stay committed
 */
export async function recompute(
  { client, cache, hasTime, log }: RecomputeDependencies,
  scope: RecomputeScope,
  cursor = '',
): Promise<RecomputeSummary> {
  let sources = 0;
  let changed = 0;
  for (let after = cursor; ;) {
    if (!hasTime()) return { sources, changed, cursor: after };
    const ids = await nextSources(client, scope, after);
    const last = ids.at(-1);
    if (last === undefined) return { sources, changed };
    const changes = await recomputeBatch(client, ids);
    await cache.invalidate(changes);
    sources += ids.length;
    changed += changes.length;
    after = last;
    log.info('Entitlements were computed again', { sources, changed, cursor: after });
  }
}

async function nextSources(client: ClientBase, scope: RecomputeScope, after: string): Promise<string[]> {
  const { text, values } = pageOfSources(scope, after, BATCH_SIZE);
  return (await client.query<{ id: string }>(text, values)).rows.map(({ id }) => id);
}

function recomputeBatch(client: ClientBase, ids: readonly string[]): Promise<EntitlementChange[]> {
  return inTransaction(client, async (run) => {
    // Who stores a new state of one of these either committed already or waits, so the result is of the newest state.
    const [, , changes] = await Promise.all([
      run(LOCK_SUBSCRIPTIONS, [ids]),
      run(LOCK_PURCHASES, [ids]),
      recomputeEntitlements(run, ids),
    ]);
    return changes;
  });
}
