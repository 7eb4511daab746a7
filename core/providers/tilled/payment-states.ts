import type { ObjectState, StateOf } from '../../billing/object-state';
import { defaultedColumns, ownerOf, ownId, type StateDefaults } from '../../billing/owner';
import type { RefundEntryRow } from '../../billing/columns';
import { InvalidRequestError } from '../../runtime/errors';
import { ownedId } from './name';
import { chargeShape, check, disputeShape, paymentIntentShape, refundShape } from './shapes';
import { versionOf } from './version';

const FINAL_INTENT_STATUSES = new Set(['succeeded', 'canceled']);
const INTENT_ORDER = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
];
const CHARGE_ORDER = ['pending', 'failed', 'succeeded'];
const REFUND_ORDER = ['pending', 'requires_action', 'succeeded'];
const DISPUTE_ORDER = ['warning_needs_response', 'warning_under_review', 'needs_response', 'under_review'];
const RETURNED_REFUNDS = new Set(['failed', 'canceled']);
const FINAL_DISPUTES = new Set(['won', 'lost', 'closed', 'warning_closed']);
/** Statuses in which the disputed amount is back, or never left. */
const HARMLESS_DISPUTES = new Set(['won', 'warning_needs_response', 'warning_under_review', 'warning_closed']);
/** Reasons of what Tilled calls a refund although it was never captured. */
const RELEASES = new Set(['expired_uncaptured_charge', 'partial_capture']);
const PURCHASE_KINDS = new Set(['course', 'path', 'coaching']);

/**
 * A payment intent with its charges and refunds, and what it paid for: the period of a subscription, which is an invoice here,
 * or what its metadata name, which is a purchase.
 *
 * @throws InvalidRequestError naming the fields that are not as Tilled documents them
 */
export function paymentIntentStates(object: unknown, defaults: StateDefaults): ObjectState[] {
  const intent = check(paymentIntentShape, object, 'payment_intent');
  const { currency, status } = intent;
  const final = FINAL_INTENT_STATUSES.has(status) ? 1 : 0;
  const received = intent.amount_received ?? (status === 'succeeded' ? intent.amount : 0);
  const charges = (intent.charges ?? []).flatMap((charge) => chargeStates(charge, currency));
  const [latest] = charges.flatMap((state) => (state.kind === 'charge' ? [state.row.id] : []));
  const common = {
    id: ownedId(intent.id),
    customer_id: ownedId(intent.customer?.id),
    ...ownerOf([intent.metadata], defaults),
    currency,
    created_at: intent.created_at,
    version: versionOf(intent, final, INTENT_ORDER, status),
    raw: object,
  };
  const payment: ObjectState = {
    kind: 'payment_intent',
    row: {
      ...common,
      status,
      amount: intent.amount,
      amount_received: received,
      latest_charge_id: latest ?? null,
      invoice_id: intent.subscription_id ? common.id : null,
      failure_code: intent.last_payment_error?.code ?? null,
      failure_message: intent.last_payment_error?.message ?? null,
    },
  };
  return [payment, ...paidFor(intent, common, received, defaults), ...charges];
}

type Intent = ReturnType<typeof check<typeof paymentIntentShape>>;
type Common = Pick<
  StateOf<'payment_intent'>['row'],
  'id' | 'customer_id' | 'app_id' | 'project_id' | 'user_id' | 'currency' | 'created_at' | 'version' | 'raw'
>;

function paidFor(intent: Intent, common: Common, received: number, defaults: StateDefaults): ObjectState[] {
  const { status, amount, metadata } = intent;
  if (intent.subscription_id) {
    const invoiceStatus = status === 'succeeded' ? 'paid' : status === 'canceled' ? 'void' : 'open';
    return [
      {
        kind: 'invoice',
        row: {
          ...common,
          payment_intent_id: common.id,
          subscription_id: ownedId(intent.subscription_id),
          status: invoiceStatus,
          total: amount,
          amount_due: amount,
          amount_paid: received,
          amount_remaining: Math.max(0, amount - received),
          attempt_count: intent.charges?.length ?? 0,
          period_start: null,
          period_end: null,
          paid_at: invoiceStatus === 'paid' ? (intent.updated_at ?? intent.created_at) : null,
        },
      },
    ];
  }
  if (!metadata?.kind && !metadata?.item_id) return [];
  return [
    {
      kind: 'purchase',
      row: {
        ...common,
        defaulted: defaultedColumns(metadata, defaults),
        client_reference_id: null,
        kind: PURCHASE_KINDS.has(metadata.kind ?? '') ? (metadata.kind ?? null) : 'other',
        item_id: ownId('metadata.item_id', metadata.item_id),
        mode: 'payment',
        status: status === 'succeeded' ? 'complete' : status === 'canceled' ? 'expired' : 'open',
        payment_status: status === 'succeeded' ? 'paid' : 'unpaid',
        payment_intent_id: common.id,
        subscription_id: null,
        amount_total: amount,
      },
    },
  ];
}

/**
 * A charge and its refunds. Whose it is follows from its payment intent, which a charge alone does not carry. None of a charge
 * that moved no money: nothing of it names a currency.
 *
 * @param intentCurrency currency of the payment intent that carries it. @default what a movement of the balance names
 * @throws InvalidRequestError naming the fields that are not as Tilled documents them
 */
export function chargeStates(object: unknown, intentCurrency?: string): ObjectState[] {
  const charge = check(chargeShape, object, 'charge');
  const listed = (charge.refunds ?? []).map((refund) => check(refundShape, refund, 'charge.refunds'));
  const moved = [charge.balance_transaction, ...listed.map((refund) => refund.balance_transaction)];
  const currency = intentCurrency ?? moved.find((movement) => movement?.currency)?.currency ?? undefined;
  if (currency === undefined) return [];
  const refunds = (charge.refunds ?? []).flatMap((refund) => refundStates(refund, currency, charge.id));
  const refunded = refunds.reduce(
    (sum, { row }) => sum + (RETURNED_REFUNDS.has(row.status ?? '') ? 0 : (row.amount ?? 0)),
    0,
  );
  // Without a list, the total is all that is known; what was released was never captured.
  const total = charge.refunds ? refunded : charge.amount_refunded;
  if (total > charge.amount_captured) {
    throw new InvalidRequestError(
      `charge.amount_refunded: ${total} is more than the ${charge.amount_captured} that were captured`,
    );
  }
  const state: ObjectState = {
    kind: 'charge',
    row: {
      id: ownedId(charge.id),
      customer_id: null,
      app_id: null,
      project_id: null,
      user_id: null,
      payment_intent_id: ownedId(charge.payment_intent_id),
      status: charge.status,
      amount: charge.amount_captured,
      amount_captured: charge.amount_captured,
      amount_refunded: total,
      currency,
      created_at: charge.created_at,
      version: versionOf(charge, 0, CHARGE_ORDER, charge.status),
      raw: object,
    },
    refundedTotal: charge.refunds ? 0 : total,
    currency,
  };
  return [state, ...refunds];
}

/**
 * A refund with its entries in the refund ledger; none for what was released.
 *
 * @param knownCurrency of its charge. @default what the movement of the balance names
 * @throws InvalidRequestError naming the fields that are not as Tilled documents them
 */
export function refundStates(object: unknown, knownCurrency?: string, chargeId?: string): StateOf<'refund'>[] {
  const refund = check(refundShape, object, 'refund');
  if (RELEASES.has(refund.reason ?? '')) return [];
  const currency = knownCurrency ?? refund.balance_transaction?.currency;
  if (!currency) throw new InvalidRequestError('refund.balance_transaction.currency: expected an ISO 4217 currency');
  const { status, amount } = refund;
  const returned = RETURNED_REFUNDS.has(status);
  const refundId = ownedId(refund.id);
  const charge = ownedId(refund.charge_id ?? chargeId);
  const entry = (kind: 'refunded' | 'returned', moved: number): RefundEntryRow => ({
    entry: `${refundId}:${kind}`,
    kind,
    charge_id: charge,
    refund_id: refundId,
    refunded_total: null,
    amount: moved,
    currency,
  });
  const entries = [entry('refunded', amount), ...(returned ? [entry('returned', -amount)] : [])];
  return [
    {
      kind: 'refund',
      row: {
        id: refundId,
        charge_id: charge,
        payment_intent_id: ownedId(refund.payment_intent_id),
        status,
        amount,
        currency,
        reason: refund.reason ?? null,
        failure_reason: refund.failure_code ?? null,
        created_at: refund.created_at,
        version: versionOf(refund, returned ? 1 : 0, REFUND_ORDER, status),
        raw: object,
      },
      entries: amount === 0 ? [] : entries,
    },
  ];
}

/** @throws InvalidRequestError naming the fields that are not as Tilled documents them */
export function disputeState(object: unknown): StateOf<'dispute'> {
  const dispute = check(disputeShape, object, 'dispute');
  const { status, amount, balance_transactions: movements } = dispute;
  const moved = movements?.reduce((sum, movement) => sum + movement.amount, 0);
  return {
    kind: 'dispute',
    row: {
      id: ownedId(dispute.id),
      charge_id: ownedId(dispute.charge_id),
      payment_intent_id: null,
      status,
      amount,
      currency: dispute.currency,
      reason: dispute.reason_description ?? null,
      evidence_due_at: dispute.closing_at ?? null,
      // Without movements of the balance, the status tells whether the bank holds the money.
      withdrawn: moved === undefined ? (HARMLESS_DISPUTES.has(status) ? 0 : amount) : Math.max(0, -moved),
      created_at: dispute.created_at,
      version: versionOf(dispute, FINAL_DISPUTES.has(status) ? 1 : 0, DISPUTE_ORDER, status),
      raw: object,
    },
  };
}
