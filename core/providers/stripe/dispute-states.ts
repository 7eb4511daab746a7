import type { StateOf } from '../../billing/object-state';
import { rankOf, versionKey, type StateOrigin } from '../../billing/version';
import { dateOf, readObject } from './read-object';
import { disputeShape, earlyFraudWarningShape, invoicePaymentShape } from './shapes';

/** Statuses of a dispute that was decided. One that is appealed was, and is decided once more. */
const DECIDED_DISPUTE_STATUSES = new Set([
  'won',
  'lost',
  'warning_closed',
  'prevented',
  'appeal_needs_response',
  'appeal_under_review',
]);
/** Statuses in which the disputed amount is back in the balance, or never left it. */
const HARMLESS_DISPUTE_STATUSES = new Set([
  'won',
  'prevented',
  'warning_needs_response',
  'warning_under_review',
  'warning_closed',
]);

/** The usual order within one second; see version.ts. */
const DISPUTE_RANK = [
  'warning_needs_response',
  'warning_under_review',
  'needs_response',
  'under_review',
  'appeal_needs_response',
  'appeal_under_review',
];

/** @throws InvalidRequestError naming the fields that are not as Stripe documents them */
export function disputeState(object: unknown, origin: StateOrigin): StateOf<'dispute'> {
  const dispute = readObject(disputeShape, object, 'dispute');
  const { status } = dispute;
  const moved = dispute.balance_transactions?.reduce((sum, { amount }) => sum + amount, 0);
  return {
    kind: 'dispute',
    row: {
      id: dispute.id,
      charge_id: dispute.charge ?? null,
      payment_intent_id: dispute.payment_intent ?? null,
      status,
      amount: dispute.amount,
      currency: dispute.currency,
      reason: dispute.reason ?? null,
      evidence_due_at: dateOf(dispute.evidence_details?.due_by),
      // Without the balance's own movements, the status tells whether the bank holds the money.
      withdrawn:
        moved === undefined ? (HARMLESS_DISPUTE_STATUSES.has(status) ? 0 : dispute.amount) : Math.max(0, -moved),
      created_at: dateOf(dispute.created),
      version: versionKey({
        progress: DECIDED_DISPUTE_STATUSES.has(status) ? 1 : 0,
        rank: rankOf(DISPUTE_RANK, status, origin),
        ...origin,
      }),
      raw: object,
    },
  };
}

/** @throws InvalidRequestError naming the fields that are not as Stripe documents them */
export function earlyFraudWarningState(object: unknown, origin: StateOrigin): StateOf<'early_fraud_warning'> {
  const warning = readObject(earlyFraudWarningShape, object, 'early_fraud_warning');
  return {
    kind: 'early_fraud_warning',
    row: {
      id: warning.id,
      charge_id: warning.charge ?? null,
      payment_intent_id: warning.payment_intent ?? null,
      actionable: warning.actionable,
      fraud_type: warning.fraud_type ?? null,
      created_at: dateOf(warning.created),
      // Once refunded or disputed, nothing can be done about a warning any more.
      version: versionKey({ progress: warning.actionable ? 0 : 1, rank: 0, ...origin }),
      raw: object,
    },
  };
}

/**
 * Which payment intent paid an invoice.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function invoicePaymentState(object: unknown, origin: StateOrigin): StateOf<'invoice_payment'> {
  const payment = readObject(invoicePaymentShape, object, 'invoice_payment');
  return {
    kind: 'invoice_payment',
    row: {
      id: payment.id,
      invoice_id: payment.invoice,
      payment_intent_id: payment.payment?.payment_intent ?? null,
      status: payment.status,
      amount_paid: payment.amount_paid ?? null,
      currency: payment.currency,
      created_at: dateOf(payment.created),
      version: versionKey({ progress: payment.status === 'open' ? 0 : 1, rank: 0, ...origin }),
      raw: object,
    },
  };
}
