import type { ObjectRow, RefundEntryRow } from '../../billing/columns';
import type { ObjectState, StateOf } from '../../billing/object-state';
import { NO_DEFAULTS, ownerOf, type StateDefaults } from '../../billing/owner';
import { rankOf, versionKey, type StateOrigin } from '../../billing/version';
import { InvalidRequestError } from '../../runtime/errors';
import { dateOf, readObject } from './read-object';
import { chargeShape, paymentIntentShape, refundShape } from './shapes';

/** Final statuses of a refund. One that `succeeded` may still fail, weeks later. */
const FINAL_REFUND_STATUSES = new Set(['failed', 'canceled']);
/** Final statuses of a payment intent. */
const FINAL_INTENT_STATUSES = new Set(['succeeded', 'canceled']);

/** The usual order within one second; see version.ts. */
const REFUND_RANK = ['pending', 'requires_action', 'succeeded'];
const INTENT_RANK = ['attempted', 'requires_capture'];
/** Attempts may follow one another within a second, in any order, and no event says what was before: the intent is read again. */
const ATTEMPTED = new Set(['requires_confirmation', 'requires_action', 'processing', 'requires_payment_method']);

/**
 * A charge, and the refunds that it carries in old API versions.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function chargeStates(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
): ObjectState[] {
  const charge = readObject(chargeShape, object, 'charge');
  const captured = charge.amount_captured ?? (charge.captured === false ? 0 : charge.amount);
  // The amount is what was authorised, of which more may be captured.
  const amount = Math.max(charge.amount, captured);
  if (charge.amount_refunded > amount) {
    throw new InvalidRequestError(
      `charge.amount_refunded: ${charge.amount_refunded} is more than the charge's amount of ${amount}`,
    );
  }
  // What was authorised and never captured is no refund, although Stripe adds it to `amount_refunded` when it is released.
  const released = charge.captured == null ? 0 : amount - captured;
  const refundedTotal = Math.max(0, charge.amount_refunded - released);
  const row: ObjectRow<'charge'> = {
    id: charge.id,
    customer_id: charge.customer ?? null,
    ...ownerOf([charge.metadata], defaults),
    payment_intent_id: charge.payment_intent ?? null,
    status: charge.status,
    amount,
    amount_captured: captured,
    amount_refunded: charge.amount_refunded,
    currency: charge.currency,
    created_at: dateOf(charge.created),
    // Of two refunds in one second, the one with the larger total is the later. Across seconds the total may also shrink,
    // when a refund fails.
    version: versionKey({ progress: 0, rank: origin.eventId === '' ? 0 : charge.amount_refunded + 1, ...origin }),
    raw: object,
  };
  const refunds = charge.refunds?.data.map((refund) => refundState(refund, origin)) ?? [];
  return [{ kind: 'charge', row, refundedTotal, currency: charge.currency }, ...refunds];
}

/**
 * A refund with its entries in the refund ledger: the amount refunded and, when the refund failed or was canceled, the same
 * amount returned. Stripe never changes a refund's amount, so every event that implies an entry implies the same one.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function refundState(object: unknown, origin: StateOrigin): StateOf<'refund'> {
  const refund = readObject(refundShape, object, 'refund');
  const status = refund.status ?? 'succeeded';
  const returned = FINAL_REFUND_STATUSES.has(status);
  const row: ObjectRow<'refund'> = {
    id: refund.id,
    charge_id: refund.charge ?? null,
    payment_intent_id: refund.payment_intent ?? null,
    status,
    amount: refund.amount,
    currency: refund.currency,
    reason: refund.reason ?? null,
    failure_reason: refund.failure_reason ?? null,
    created_at: dateOf(refund.created),
    version: versionKey({ progress: returned ? 1 : 0, rank: rankOf(REFUND_RANK, status, origin), ...origin }),
    raw: object,
  };
  const entry = (kind: 'refunded' | 'returned', amount: number): RefundEntryRow => ({
    entry: `${refund.id}:${kind}`,
    kind,
    charge_id: row.charge_id,
    refund_id: refund.id,
    refunded_total: null,
    amount,
    currency: refund.currency,
  });
  const entries = [entry('refunded', refund.amount), ...(returned ? [entry('returned', -refund.amount)] : [])];
  // The ledger has no entries of zero.
  return { kind: 'refund', row, entries: refund.amount === 0 ? [] : entries };
}

/** @throws InvalidRequestError naming the fields that are not as Stripe documents them */
export function paymentIntentState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
): StateOf<'payment_intent'> {
  const intent = readObject(paymentIntentShape, object, 'payment_intent');
  const row: ObjectRow<'payment_intent'> = {
    id: intent.id,
    customer_id: intent.customer ?? null,
    ...ownerOf([intent.metadata], defaults),
    status: intent.status,
    amount: intent.amount,
    amount_received: intent.amount_received ?? (intent.status === 'succeeded' ? intent.amount : 0),
    currency: intent.currency,
    latest_charge_id: intent.latest_charge ?? intent.charges?.data[0]?.id ?? null,
    invoice_id: intent.invoice ?? null,
    failure_code: intent.last_payment_error?.code ?? null,
    failure_message: intent.last_payment_error?.message ?? null,
    created_at: dateOf(intent.created),
    version: versionKey({
      progress: FINAL_INTENT_STATUSES.has(intent.status) ? 1 : 0,
      rank: rankOf(INTENT_RANK, ATTEMPTED.has(intent.status) ? 'attempted' : intent.status, origin),
      ...origin,
    }),
    raw: object,
  };
  return { kind: 'payment_intent', row };
}
