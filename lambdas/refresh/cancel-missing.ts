import { OBJECT_TABLES } from '../../core/billing/columns';
import { NO_DEFAULTS } from '../../core/billing/owner';
import type { ObjectState } from '../../core/billing/object-state';
import { storeStates } from '../../core/billing/store-states';
import { momentOf, progressOf, versionKey } from '../../core/billing/version';
import type { RunStatement, Statement } from '../../core/database/transaction';
import { ENDINGS, type EndableKind } from '../../core/providers/stripe/endings';
import { STRIPE } from '../../core/providers/stripe/name';
import { snapshotStates } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { ObjectOutcomeName } from './contract';

/** An operator's decision on an object that Stripe does not have. */
export interface Cancellation {
  readonly reason: string;
  /** Who decided it. */
  readonly by: string;
}

interface StoredObject {
  readonly version: string;
  readonly raw: object;
  readonly is_over: boolean | null;
}

/**
 * Cancels an object that Stripe does not have, as of now, with what it grants and counts as. The state comes a second after
 * the stored one, so that everything newer replaces it: a late event of the object, or, such as for another key, the next
 * answer of Stripe.
 *
 * @returns `missing` when it is not stored here either; `unchanged` when it neither grants nor counts already
 */
export async function cancelMissing(
  { apply, clock }: Pick<StripeWork, 'apply' | 'clock'>,
  run: RunStatement,
  kind: EndableKind,
  id: string,
): Promise<ObjectOutcomeName> {
  const table = OBJECT_TABLES[kind];
  const { over, fields } = ENDINGS[kind];
  const [stored] = await run<StoredObject>(
    {
      name: `find_missing_in_${table}`,
      text: `SELECT version, raw, ${over} AS is_over FROM billing.${table} WHERE id = $1 FOR UPDATE`,
    },
    [id],
  );
  if (stored === undefined) return 'missing';
  if (stored.is_over === true) return 'unchanged';
  const now = Math.floor(clock().getTime() / 1000);
  const snapshot = { object: { ...stored.raw, ...fields(now) }, requestedAtSeconds: now };
  const version = versionKey({
    progress: progressOf(stored.version),
    moment: momentOf(stored.version) + 1,
    rank: 0,
    eventId: '',
  });
  const states = snapshotStates(kind, snapshot, apply.defaults ?? NO_DEFAULTS)
    // Refunds that a charge carries are objects of their own.
    .filter(({ row }) => row.id === id)
    // What Stripe said last stays on record.
    .map((state) => ({ ...state, row: { ...state.row, version, raw: stored.raw } }) as ObjectState);
  await storeStates(run, states, { afterStore: apply.afterStore });
  return 'canceled';
}

/** $1: provider, $2: kind, $3: object, $4: who canceled it, and why. */
const RECORD_CANCELLATION: Statement = {
  name: 'record_cancellation',
  text: `
INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason, attempts, last_error, done_at)
VALUES ($1, $2, $3, 'missing_at_stripe', 1, $4, now())`,
};

/** Keeps the decision beside the refreshes of the object. */
export async function recordCancellation(
  run: RunStatement,
  kind: EndableKind,
  id: string,
  { reason, by }: Cancellation,
): Promise<void> {
  await run(RECORD_CANCELLATION, [STRIPE, kind, id, `Canceled by ${by}: ${reason}`]);
}
