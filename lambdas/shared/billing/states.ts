import { z } from 'zod';
import { InvalidRequestError } from '../errors';
import { chargeShape, checkoutSessionShape, invoiceShape, subscriptionShape } from './stripe-shapes';
import { versionKey, type StateOrigin } from './version';

/** Rows as the statements take them: column names, times in ISO 8601, money in the currency's smallest unit. */
export type Row = { readonly id: string; readonly version: string; readonly customer_id: string | null } & Record<
  string,
  unknown
>;

export interface SubscriptionItemRow extends Record<string, unknown> {
  readonly id: string;
  readonly subscription_id: string;
}

/** One object's state, ready to be stored if it is newer than what is there. */
export type ObjectState =
  | { readonly kind: 'subscription'; readonly row: Row; readonly items: readonly SubscriptionItemRow[] }
  | { readonly kind: 'invoice' | 'purchase'; readonly row: Row }
  | { readonly kind: 'charge'; readonly row: Row; readonly refundedTotal: number; readonly currency: string };

/** Statuses after which a subscription never changes its status again. */
const FINAL_SUBSCRIPTION_STATUSES = new Set(['canceled', 'incomplete_expired']);
/** Statuses after which an invoice never changes its status again. */
const FINAL_INVOICE_STATUSES = new Set(['paid', 'void', 'deleted']);

/** The usual order within one second; see version.ts. */
const SUBSCRIPTION_RANK = ['incomplete', 'trialing', 'active', 'past_due', 'unpaid', 'paused'];
const INVOICE_RANK = ['draft', 'open', 'uncollectible'];

const PURCHASE_KINDS = new Set(['course', 'path', 'coaching']);

const time = (seconds: number | null | undefined) => (seconds == null ? null : new Date(seconds * 1000).toISOString());

function parse<Schema extends z.ZodType>(schema: Schema, object: unknown, name: string): z.infer<Schema> {
  const result = schema.safeParse(object);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => `${[name, ...issue.path].join('.')}: ${issue.message}`);
  throw new InvalidRequestError(fields.slice(0, 5).join('; '));
}

/** Who a subscription or a purchase belongs to, as the application wrote it into the metadata. */
function owner(metadata: Record<string, string> | null | undefined, fallbackUser?: string | null) {
  return {
    app_id: metadata?.app_id ?? null,
    project_id: metadata?.project_id ?? null,
    user_id: metadata?.user_id ?? fallbackUser ?? null,
  };
}

/**
 * The functions below take objects that passed `toStorable`: what they return is stored as it is.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function subscriptionState(object: unknown, origin: StateOrigin): ObjectState {
  const subscription = parse(subscriptionShape, object, 'subscription');
  const items = subscription.items.data.map((item) => ({
    id: item.id,
    subscription_id: subscription.id,
    price_id: item.price?.id ?? item.plan?.id ?? null,
    product_id: item.price?.product ?? item.plan?.product ?? null,
    quantity: item.quantity ?? null,
    unit_amount: item.price?.unit_amount ?? item.plan?.amount ?? null,
    currency: item.price?.currency ?? item.plan?.currency ?? subscription.currency,
    recurring_interval: item.price?.recurring?.interval ?? item.plan?.interval ?? null,
    current_period_start: time(item.current_period_start ?? subscription.current_period_start),
    current_period_end: time(item.current_period_end ?? subscription.current_period_end),
  }));
  // Since 2025 the period is on the items. Where they differ, the subscription lasts as long as the longest of them.
  const longest = subscription.items.data.toSorted(
    (a, b) => (b.current_period_end ?? 0) - (a.current_period_end ?? 0),
  )[0];
  const row: Row = {
    id: subscription.id,
    customer_id: subscription.customer,
    ...owner(subscription.metadata),
    status: subscription.status,
    currency: subscription.currency,
    current_period_start: time(subscription.current_period_start ?? longest?.current_period_start),
    current_period_end: time(subscription.current_period_end ?? longest?.current_period_end),
    cancel_at_period_end: subscription.cancel_at_period_end,
    cancel_at: time(subscription.cancel_at),
    canceled_at: time(subscription.canceled_at),
    ended_at: time(subscription.ended_at),
    trial_end: time(subscription.trial_end),
    created_at: time(subscription.created),
    version: versionKey({
      progress: FINAL_SUBSCRIPTION_STATUSES.has(subscription.status) ? 1 : 0,
      rank: rankOf(SUBSCRIPTION_RANK, subscription.status, origin),
      ...origin,
    }),
    raw: object,
  };
  return { kind: 'subscription', row, items };
}

/**
 * @param deleted the event says that this draft was deleted; the object itself still says `draft`
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function invoiceState(object: unknown, origin: StateOrigin, deleted = false): ObjectState {
  const invoice = parse(invoiceShape, object, 'invoice');
  const status = deleted ? 'deleted' : (invoice.status ?? null);
  const row: Row = {
    id: invoice.id,
    customer_id: invoice.customer ?? null,
    subscription_id: invoice.subscription ?? invoice.parent?.subscription_details?.subscription ?? null,
    status,
    currency: invoice.currency,
    total: invoice.total,
    amount_due: invoice.amount_due,
    amount_paid: invoice.amount_paid,
    amount_remaining: invoice.amount_remaining,
    attempt_count: invoice.attempt_count ?? 0,
    period_start: time(invoice.period_start),
    period_end: time(invoice.period_end),
    paid_at: time(invoice.status_transitions?.paid_at),
    created_at: time(invoice.created),
    version: versionKey({
      progress: status !== null && FINAL_INVOICE_STATUSES.has(status) ? 1 : 0,
      rank: rankOf(INVOICE_RANK, status, origin),
      ...origin,
    }),
    raw: object,
  };
  return { kind: 'invoice', row };
}

/** @throws InvalidRequestError naming the fields that are not as Stripe documents them */
export function purchaseState(object: unknown, origin: StateOrigin): ObjectState {
  const session = parse(checkoutSessionShape, object, 'checkout.session');
  const kind = session.metadata?.kind ?? '';
  const settled = session.payment_status === 'paid' || session.payment_status === 'no_payment_required';
  const row: Row = {
    id: session.id,
    customer_id: session.customer ?? null,
    ...owner(session.metadata, session.client_reference_id),
    kind: PURCHASE_KINDS.has(kind) ? kind : session.mode === 'subscription' ? 'subscription' : 'other',
    item_id: session.metadata?.item_id ?? null,
    mode: session.mode,
    status: session.status ?? null,
    payment_status: session.payment_status,
    payment_intent_id: session.payment_intent ?? null,
    subscription_id: session.subscription ?? null,
    amount_total: session.amount_total ?? null,
    currency: session.currency ?? null,
    created_at: time(session.created),
    // A session only moves forward: open, then complete or expired, then paid.
    version: versionKey({
      progress: (session.status === 'open' ? 0 : 1) + (settled ? 1 : 0),
      rank: 0,
      ...origin,
    }),
    raw: object,
  };
  return { kind: 'purchase', row };
}

/** @throws InvalidRequestError naming the fields that are not as Stripe documents them */
export function chargeState(object: unknown, origin: StateOrigin): ObjectState {
  const charge = parse(chargeShape, object, 'charge');
  if (charge.amount_refunded > charge.amount) {
    throw new InvalidRequestError(
      `charge.amount_refunded: ${charge.amount_refunded} is more than the charge's amount of ${charge.amount}`,
    );
  }
  const row: Row = {
    id: charge.id,
    customer_id: charge.customer ?? null,
    payment_intent_id: charge.payment_intent ?? null,
    status: charge.status,
    amount: charge.amount,
    amount_refunded: charge.amount_refunded,
    currency: charge.currency,
    created_at: time(charge.created),
    // What was refunded only grows, so the charge always agrees with the largest total in the refund ledger.
    version: versionKey({ progress: charge.amount_refunded, rank: 0, ...origin }),
    raw: object,
  };
  return { kind: 'charge', row, refundedTotal: charge.amount_refunded, currency: charge.currency };
}

/** A snapshot ranks below every event of its second; an unknown status ranks above the known ones. */
function rankOf(order: readonly string[], status: string | null, origin: StateOrigin): number {
  if (origin.eventId === '') return 0;
  const position = status === null ? -1 : order.indexOf(status);
  return position === -1 ? order.length + 1 : position + 1;
}
