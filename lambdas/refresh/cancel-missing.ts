import { NO_DEFAULTS } from '../../core/billing/owner';
import type { ObjectState } from '../../core/billing/object-state';
import { storeStates } from '../../core/billing/store-states';
import { versionKey } from '../../core/billing/version';
import type { RunStatement, Statement } from '../../core/database/transaction';
import { STRIPE } from '../../core/providers/stripe/name';
import { snapshotStates } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { FINAL_SUBSCRIPTION_STATUSES } from '../../core/providers/stripe/subscription-states';
import type { ObjectOutcomeName } from './contract';

/** An operator's decision on a subscription that Stripe does not have. */
export interface Cancellation {
  readonly reason: string;
  /** Who decided it. */
  readonly by: string;
}

/**
 * Cancels a subscription that Stripe does not have, as of now, with the entitlements that follow. It counts as no final state:
 * where Stripe has the subscription after all, such as for another key, the next answer is stored.
 *
 * @returns `missing` when it is not stored here either; `unchanged` when it is over already, or ahead of the present by a test
 * clock
 */
export async function cancelMissing(
  { apply, clock }: Pick<StripeWork, 'apply' | 'clock'>,
  run: RunStatement,
  id: string,
): Promise<ObjectOutcomeName> {
  const [stored] = await run<{ status: string; raw: object }>(
    {
      name: 'find_missing_subscription',
      text: 'SELECT status, raw FROM billing.subscriptions WHERE id = $1 FOR UPDATE',
    },
    [id],
  );
  if (stored === undefined) return 'missing';
  if (FINAL_SUBSCRIPTION_STATUSES.has(stored.status)) return 'unchanged';
  const now = Math.floor(clock().getTime() / 1000);
  const object = { ...stored.raw, status: 'canceled', canceled_at: now, ended_at: now };
  const snapshot = { object, requestedAtSeconds: now };
  const states = snapshotStates('subscription', snapshot, apply.defaults ?? NO_DEFAULTS).map((state): ObjectState => {
    if (state.kind !== 'subscription') return state;
    const version = versionKey({ progress: 0, moment: now, rank: 0, eventId: '' });
    // What Stripe said last stays on record.
    return { ...state, row: { ...state.row, version, raw: stored.raw } };
  });
  const changed = await storeStates(run, states, { afterStore: apply.afterStore });
  return changed.has(id) ? 'canceled' : 'unchanged';
}

/** $1: provider, $2: subscription, $3: who canceled it, and why. */
const RECORD_CANCELLATION: Statement = {
  name: 'record_cancellation',
  text: `
INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason, attempts, last_error, done_at)
VALUES ($1, 'subscription', $2, 'missing_at_stripe', 1, $3, now())`,
};

/** Keeps the decision beside the refreshes of the subscription. */
export async function recordCancellation(run: RunStatement, id: string, { reason, by }: Cancellation): Promise<void> {
  await run(RECORD_CANCELLATION, [STRIPE, id, `Canceled by ${by}: ${reason}`]);
}
