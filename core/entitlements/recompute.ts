import type { ObjectState } from '../billing/object-state';
import type { RunStatement } from '../database/transaction';
import { LOCK_SOURCES, REPLACE_ENTITLEMENTS } from './statements';

/** What entitlements are computed from; invoices, which are as frequent, are not among it. */
const ENTITLING_KINDS: ReadonlySet<ObjectState['kind']> = new Set(['subscription', 'purchase', 'charge', 'refund']);

/** Somebody's entitlements in one project changed; `version` is what they are at now. */
export interface EntitlementChange {
  readonly userId: string;
  readonly projectId: string;
  readonly version: number;
}

/**
 * Brings entitlements in line with the stored state, for the sources that the changed objects touch, in two statements
 * however many they are. Part of the transaction that stored them, after it did: the result depends on what is stored,
 * never on the order in which it came.
 *
 * @param changedIds ids of subscriptions, purchases, charges and refunds; others touch nothing
 * @param paymentIds those of them that may be purchases, charges or refunds: only these are looked for in one another
 * @returns whose entitlements changed; their caches are to be invalidated after the commit
 */
export async function recomputeEntitlements(
  run: RunStatement,
  changedIds: Iterable<string>,
  paymentIds: Iterable<string> = changedIds,
): Promise<EntitlementChange[]> {
  const ids = [...changedIds].toSorted();
  if (ids.length === 0) return [];
  const payments = [...paymentIds];
  const [, rows] = await Promise.all([
    run(LOCK_SOURCES, [payments]),
    run<ChangedRow>(REPLACE_ENTITLEMENTS, [ids, payments]),
  ]);
  return rows.map((row) => ({ userId: row.user_id, projectId: row.project_id, version: Number(row.version) }));
}

interface ChangedRow {
  readonly user_id: string;
  readonly project_id: string;
  /** A bigint, which the driver returns as text. */
  readonly version: string;
}

export interface EntitlementUpdates {
  /** To be run in the transaction, after the states were stored; see `ApplyOptions`. */
  readonly afterStore: (
    run: RunStatement,
    changedIds: ReadonlySet<string>,
    states: readonly ObjectState[],
  ) => Promise<void>;
  /** Everything that changed; complete when the transactions are committed. */
  readonly changes: () => EntitlementChange[];
}

/**
 * Recomputes entitlements in the transactions of one call and gathers what changed, so that caches are invalidated after
 * the commit. A transaction that was rolled back may have left its changes here: invalidating them costs a cache miss.
 */
export function gatherEntitlementUpdates(): EntitlementUpdates {
  const newest = new Map<string, EntitlementChange>();
  return {
    async afterStore(run, changedIds, states) {
      const touching = states.filter(({ kind, row }) => ENTITLING_KINDS.has(kind) && changedIds.has(row.id));
      const payments = touching.filter(({ kind }) => kind !== 'subscription');
      for (const change of await recomputeEntitlements(run, idsOf(touching), idsOf(payments))) {
        const key = JSON.stringify([change.userId, change.projectId]);
        if (change.version > (newest.get(key)?.version ?? 0)) newest.set(key, change);
      }
    },
    changes: () => [...newest.values()],
  };
}

function idsOf(states: readonly ObjectState[]): Set<string> {
  return new Set(states.map(({ row }) => row.id));
}
