import type { ObjectState } from '../billing/object-state';
import { runSteps, type RunStatement, type Step } from '../database/transaction';
import { LOCK_SOURCES, REPLACE_ENTITLEMENTS } from './statements';

/** Kinds that entitlements are computed from. Invoices, which are as frequent, are not among them. */
const ENTITLING_KINDS: ReadonlySet<ObjectState['kind']> = new Set(['subscription', 'purchase', 'charge', 'refund']);

/** A user's entitlements in one project changed; `version` is the new one. */
export interface EntitlementChange {
  readonly userId: string;
  readonly projectId: string;
  readonly version: number;
}

/** Ids of changed objects; `payments` are those of purchases, charges and refunds among them. */
interface Changed {
  readonly ids: readonly string[];
  readonly payments: readonly string[];
}

const RECOMPUTE_STEPS: readonly Step<Changed>[] = [
  { statement: LOCK_SOURCES, values: ({ payments }) => [payments] },
  { statement: REPLACE_ENTITLEMENTS, values: ({ ids, payments }) => [ids, payments] },
];

/**
 * Brings entitlements in line with the stored state, for the sources that the changed objects touch, in two statements
 * whatever their number. Runs in the transaction that stored the objects, behind it: the result depends on the stored
 * state, never on the order in which events came.
 *
 * @param changedIds ids of subscriptions, purchases, charges and refunds; others have no effect
 * @param paymentIds those of them that may be purchases, charges or refunds: only these are looked up in one another
 * @returns the users whose entitlements changed; invalidate their caches after the commit
 */
export async function recomputeEntitlements(
  run: RunStatement,
  changedIds: Iterable<string>,
  paymentIds: Iterable<string> = changedIds,
): Promise<EntitlementChange[]> {
  const ids = [...changedIds].toSorted();
  if (ids.length === 0) return [];
  const [, rows = []] = await runSteps<Changed, ChangedRow>(run, RECOMPUTE_STEPS, { ids, payments: [...paymentIds] });
  return rows.map((row) => ({ userId: row.user_id, projectId: row.project_id, version: Number(row.version) }));
}

interface ChangedRow {
  readonly user_id: string;
  readonly project_id: string;
  /** A bigint, which the driver returns as text. */
  readonly version: string;
}

export interface EntitlementUpdates {
  /** Runs in the transaction, after the states were stored; see `ApplyOptions`. */
  readonly afterStore: (
    run: RunStatement,
    changedIds: ReadonlySet<string>,
    states: readonly ObjectState[],
  ) => Promise<void>;
  /** All changes; complete when the transactions are committed. */
  readonly changes: () => EntitlementChange[];
}

/**
 * Recomputes entitlements in the transactions of one call and collects the changes, so that caches are invalidated after
 * the commit. Changes of a transaction that was rolled back may be among them: invalidating those costs a cache miss.
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
