import type * as z from 'zod';
import type { ObjectRow } from '../../billing/columns';
import type { StateOf } from '../../billing/object-state';
import { defaultedColumns, NO_DEFAULTS, ownerOf, ownId, type StateDefaults } from '../../billing/owner';
import { rankOf, versionKey, type StateOrigin } from '../../billing/version';
import { InvalidRequestError } from '../../runtime/errors';
import { dateOf, readObject } from './read-object';
import { checkoutSessionShape, invoiceShape, subscriptionShape } from './shapes';

/** Final statuses of a subscription. */
const FINAL_SUBSCRIPTION_STATUSES = new Set(['canceled', 'incomplete_expired']);
/** Final statuses of an invoice. */
const FINAL_INVOICE_STATUSES = new Set(['paid', 'void', 'deleted']);

/** The usual order within one second; see version.ts. */
const SUBSCRIPTION_RANK = ['incomplete', 'trialing', 'active', 'past_due', 'unpaid', 'paused'];
const INVOICE_RANK = ['draft', 'open', 'uncollectible'];
/** Above every number of attempts to collect an invoice, which only grows while its status stays. */
const ATTEMPTS_PER_RANK = 1_000;

const PURCHASE_KINDS = new Set(['course', 'path', 'coaching']);

/**
 * The functions here take objects that passed `toStorable`: what they return is stored as it is.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function subscriptionState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
): StateOf<'subscription'> {
  const subscription = readObject(subscriptionShape, object, 'subscription');
  if (new Set(subscription.items.data.map(({ id }) => id)).size < subscription.items.data.length) {
    throw new InvalidRequestError('subscription.items.data: expected every item once');
  }
  const currency = currencyOf(subscription);
  const items = subscription.items.data.map((item, position) => ({
    id: item.id,
    subscription_id: subscription.id,
    price_id: item.price?.id ?? item.plan?.id ?? null,
    product_id: item.price?.product ?? item.plan?.product ?? null,
    quantity: item.quantity ?? null,
    unit_amount: item.price?.unit_amount ?? item.plan?.amount ?? null,
    currency: item.price?.currency ?? item.plan?.currency ?? currency,
    recurring_interval: item.price?.recurring?.interval ?? item.plan?.interval ?? null,
    current_period_start: dateOf(item.current_period_start ?? subscription.current_period_start),
    current_period_end: dateOf(item.current_period_end ?? subscription.current_period_end),
    position,
  }));
  // Since 2025 the period is on the items. Where they differ, the subscription's period is the one that ends first: at its end
  // `cancel_at_period_end` cancels all of them.
  const first = subscription.items.data.toSorted(
    (a, b) => (a.current_period_end ?? Infinity) - (b.current_period_end ?? Infinity),
  )[0];
  const row: ObjectRow<'subscription'> = {
    id: subscription.id,
    customer_id: subscription.customer,
    ...ownerOf([subscription.metadata], defaults),
    defaulted: defaultedColumns(subscription.metadata, defaults),
    status: subscription.status,
    collection_method: subscription.collection_method ?? null,
    days_until_due: subscription.days_until_due ?? null,
    pause_behavior: subscription.pause_collection?.behavior ?? null,
    pause_resumes_at: dateOf(subscription.pause_collection?.resumes_at),
    currency,
    current_period_start: dateOf(subscription.current_period_start ?? first?.current_period_start),
    current_period_end: dateOf(subscription.current_period_end ?? first?.current_period_end),
    cancel_at_period_end: subscription.cancel_at_period_end,
    cancel_at: dateOf(subscription.cancel_at),
    canceled_at: dateOf(subscription.canceled_at),
    ended_at: dateOf(subscription.ended_at),
    trial_end: dateOf(subscription.trial_end),
    created_at: dateOf(subscription.created),
    version: versionKey({
      progress: FINAL_SUBSCRIPTION_STATUSES.has(subscription.status) ? 1 : 0,
      rank: rankOf(SUBSCRIPTION_RANK, subscription.status, origin),
      ...origin,
    }),
    raw: object,
  };
  return { kind: 'subscription', row, items, partialItems: subscription.items.has_more ?? false };
}

/** @throws InvalidRequestError when neither the subscription nor an item names a currency */
function currencyOf({ currency, items }: z.infer<typeof subscriptionShape>): string {
  const named = [currency, ...items.data.map(({ price, plan }) => price?.currency ?? plan?.currency)].find(Boolean);
  if (named) return named;
  throw new InvalidRequestError('subscription.currency: expected an ISO 4217 currency');
}

/**
 * @param deleted the event deletes this draft; the object's own status is still `draft`
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function invoiceState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
  deleted = false,
): StateOf<'invoice'> {
  const invoice = readObject(invoiceShape, object, 'invoice');
  const status = deleted ? 'deleted' : (invoice.status ?? statusUntil2018(invoice));
  const paid = invoice.amount_paid ?? (status === 'paid' ? invoice.amount_due : 0);
  const row: ObjectRow<'invoice'> = {
    id: invoice.id,
    customer_id: invoice.customer ?? null,
    // The subscription's metadata at the time of the invoice: below `parent` since 2025, on the invoice itself before.
    ...ownerOf(
      [invoice.metadata, invoice.parent?.subscription_details?.metadata, invoice.subscription_details?.metadata],
      defaults,
    ),
    subscription_id: invoice.subscription ?? invoice.parent?.subscription_details?.subscription ?? null,
    payment_intent_id: invoice.payment_intent ?? paidBy(invoice.payments?.data) ?? null,
    status,
    currency: invoice.currency,
    total: invoice.total,
    amount_due: invoice.amount_due,
    amount_paid: paid,
    amount_remaining: invoice.amount_remaining ?? Math.max(0, invoice.amount_due - paid),
    attempt_count: invoice.attempt_count ?? 0,
    period_start: dateOf(invoice.period_start),
    period_end: dateOf(invoice.period_end),
    paid_at: dateOf(invoice.status_transitions?.paid_at),
    // What is said of an invoice without a time was not said before it was made.
    created_at: dateOf(invoice.created ?? invoice.date ?? origin.moment),
    version: versionKey({
      progress: status !== null && FINAL_INVOICE_STATUSES.has(status) ? 1 : 0,
      rank: rankOf(INVOICE_RANK, status, origin) * ATTEMPTS_PER_RANK + attemptsOf(invoice, origin),
      ...origin,
    }),
    raw: object,
  };
  return { kind: 'invoice', row, partialLines: invoice.lines?.has_more ?? false };
}

/** None for a snapshot and a creation, which rank below every other event of their second. */
function attemptsOf(
  { attempt_count: attempts }: { attempt_count?: number | null | undefined },
  origin: StateOrigin,
): number {
  if (origin.eventId === '' || origin.creation) return 0;
  return Math.min(Math.max(attempts ?? 0, 0), ATTEMPTS_PER_RANK - 1);
}

/** @throws InvalidRequestError naming the fields that are not as Stripe documents them */
export function purchaseState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
): StateOf<'purchase'> {
  const session = readObject(checkoutSessionShape, object, 'checkout.session');
  const kind = session.metadata?.kind ?? '';
  const settled = session.payment_status === 'paid' || session.payment_status === 'no_payment_required';
  const row: ObjectRow<'purchase'> = {
    id: session.id,
    customer_id: session.customer ?? null,
    ...ownerOf([session.metadata], defaults),
    defaulted: defaultedColumns(session.metadata, defaults),
    client_reference_id: ownId('client_reference_id', session.client_reference_id),
    kind: PURCHASE_KINDS.has(kind) ? kind : session.mode === 'subscription' ? 'subscription' : 'other',
    item_id: ownId('metadata.item_id', session.metadata?.item_id),
    mode: session.mode,
    status: session.status ?? null,
    payment_status: session.payment_status,
    payment_intent_id: session.payment_intent ?? null,
    subscription_id: session.subscription ?? null,
    amount_total: session.amount_total ?? null,
    currency: session.currency ?? null,
    created_at: dateOf(session.created),
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

/** The status that an invoice had when nothing but these flags said so; null when they are missing as well. */
function statusUntil2018({ paid, forgiven, attempted }: InvoiceFlags): string | null {
  if (paid == null && forgiven == null && attempted == null) return null;
  if (paid) return 'paid';
  if (forgiven) return 'uncollectible';
  return attempted ? 'open' : 'draft';
}

interface InvoiceFlags {
  readonly paid?: boolean | null | undefined;
  readonly forgiven?: boolean | null | undefined;
  readonly attempted?: boolean | null | undefined;
}

/** Since 2025 an invoice lists its payments; the default one has the intent that `payment_intent` used to name. */
function paidBy(
  payments: readonly { is_default?: boolean | null; payment?: { payment_intent?: string | null } | null }[] | null = [],
): string | null | undefined {
  return (payments?.find(({ is_default }) => is_default) ?? payments?.[0])?.payment?.payment_intent;
}
