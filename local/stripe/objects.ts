import { randomBytes } from 'node:crypto';
import type Stripe from 'stripe';

/**
 * Realistic Stripe objects in the shape of API version 2026-10-28.endive: periods on the items of a subscription, an
 * invoice's subscription below `parent`. Fields that the platform never reads are left out, which the casts allow; the
 * literals are still checked against Stripe's types.
 */

/** API version of these objects, which is the one of the `stripe` package. */
export const API_VERSION = '2026-10-28.endive';

const SECONDS_PER_DAY = 86_400;
const DAYS_PER_PERIOD = 30;

/** An id such as `sub_…`, unique and of Stripe's length. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(12).toString('hex')}`;
}

/** The current time in whole seconds since 1970. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function customerObject(overrides: Partial<Stripe.Customer> = {}): Stripe.Customer {
  const id = overrides.id ?? newId('cus');
  return {
    id,
    object: 'customer',
    created: nowSeconds(),
    currency: 'usd',
    delinquent: false,
    email: `${id}@example.com`,
    livemode: false,
    metadata: {},
    name: null,
    ...overrides,
  } satisfies Partial<Stripe.Customer> as Stripe.Customer;
}

export function priceObject(overrides: Partial<Stripe.Price> = {}): Stripe.Price {
  return {
    id: newId('price'),
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created: nowSeconds(),
    currency: 'usd',
    livemode: false,
    metadata: {},
    nickname: null,
    product: newId('prod'),
    recurring: { interval: 'month', interval_count: 1, meter: null, trial_period_days: null, usage_type: 'licensed' },
    type: 'recurring',
    unit_amount: 2900,
    ...overrides,
  } satisfies Partial<Stripe.Price> as Stripe.Price;
}

export function subscriptionItemObject(
  subscription: string,
  overrides: Partial<Stripe.SubscriptionItem> = {},
): Stripe.SubscriptionItem {
  const created = overrides.created ?? nowSeconds();
  return {
    id: newId('si'),
    object: 'subscription_item',
    created,
    current_period_start: created,
    current_period_end: created + DAYS_PER_PERIOD * SECONDS_PER_DAY,
    discounts: [],
    metadata: {},
    price: priceObject(),
    quantity: 1,
    subscription,
    tax_rates: [],
    ...overrides,
  } satisfies Partial<Stripe.SubscriptionItem> as Stripe.SubscriptionItem;
}

/** A Stripe list, as it is nested in an object. */
export function nestedList<T>(url: string, data: T[]): Stripe.ApiList<T> {
  return { object: 'list', data, has_more: false, url };
}

export function subscriptionObject(overrides: Partial<Stripe.Subscription> = {}): Stripe.Subscription {
  const id = overrides.id ?? newId('sub');
  const created = overrides.created ?? nowSeconds();
  return {
    id,
    object: 'subscription',
    billing_cycle_anchor: created,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    collection_method: 'charge_automatically',
    created,
    currency: 'usd',
    customer: newId('cus'),
    default_payment_method: null,
    description: null,
    discounts: [],
    ended_at: null,
    items: nestedList(`/v1/subscription_items?subscription=${id}`, [subscriptionItemObject(id, { created })]),
    latest_invoice: null,
    livemode: false,
    metadata: {},
    pause_collection: null,
    start_date: created,
    status: 'active',
    trial_end: null,
    trial_start: null,
    ...overrides,
  } satisfies Partial<Stripe.Subscription> as Stripe.Subscription;
}

/** An open invoice of a subscription. */
export function invoiceObject(subscription: string, overrides: Partial<Stripe.Invoice> = {}): Stripe.Invoice {
  const created = overrides.created ?? nowSeconds();
  const total = overrides.total ?? 2900;
  return {
    id: newId('in'),
    object: 'invoice',
    amount_due: total,
    amount_paid: 0,
    amount_remaining: total,
    attempt_count: 0,
    attempted: false,
    billing_reason: 'subscription_cycle',
    collection_method: 'charge_automatically',
    created,
    currency: 'usd',
    customer: newId('cus'),
    livemode: false,
    metadata: {},
    number: null,
    parent: {
      type: 'subscription_details',
      quote_details: null,
      subscription_details: { metadata: {}, subscription },
    },
    period_end: created,
    period_start: created - DAYS_PER_PERIOD * SECONDS_PER_DAY,
    status: 'open',
    status_transitions: { finalized_at: created, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: total,
    total,
    ...overrides,
  } satisfies Partial<Stripe.Invoice> as Stripe.Invoice;
}

/** A completed and paid checkout session of a one-time purchase. */
export function checkoutSessionObject(overrides: Partial<Stripe.Checkout.Session> = {}): Stripe.Checkout.Session {
  const created = overrides.created ?? nowSeconds();
  const total = overrides.amount_total ?? 4900;
  return {
    id: newId('cs_test'),
    object: 'checkout.session',
    amount_subtotal: total,
    amount_total: total,
    client_reference_id: null,
    created,
    currency: 'usd',
    customer: newId('cus'),
    expires_at: created + SECONDS_PER_DAY,
    invoice: null,
    livemode: false,
    metadata: {},
    mode: 'payment',
    payment_intent: newId('pi'),
    payment_method_types: ['card'],
    payment_status: 'paid',
    status: 'complete',
    subscription: null,
    ...overrides,
  } satisfies Partial<Stripe.Checkout.Session> as Stripe.Checkout.Session;
}

/** A succeeded, captured charge. */
export function chargeObject(overrides: Partial<Stripe.Charge> = {}): Stripe.Charge {
  const amount = overrides.amount ?? 4900;
  return {
    id: newId('ch'),
    object: 'charge',
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    captured: true,
    created: nowSeconds(),
    currency: 'usd',
    customer: newId('cus'),
    disputed: false,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: {},
    paid: true,
    payment_intent: newId('pi'),
    refunded: false,
    status: 'succeeded',
    ...overrides,
  } satisfies Partial<Stripe.Charge> as Stripe.Charge;
}

/** A refund that succeeded at once. */
export function refundObject(overrides: Partial<Stripe.Refund> = {}): Stripe.Refund {
  return {
    id: newId('re'),
    object: 'refund',
    amount: 4900,
    charge: newId('ch'),
    created: nowSeconds(),
    currency: 'usd',
    metadata: {},
    payment_intent: null,
    reason: null,
    receipt_number: null,
    status: 'succeeded',
    ...overrides,
  } satisfies Partial<Stripe.Refund> as Stripe.Refund;
}

/** An event that holds a copy of `object`, which later changes of `object` leave as it is. */
export function eventObject(
  type: string,
  object: object,
  overrides: { id?: string; created?: number; api_version?: string; livemode?: boolean; previous?: object } = {},
): Stripe.Event {
  const { previous, ...rest } = overrides;
  const event = {
    id: newId('evt'),
    object: 'event',
    api_version: API_VERSION,
    created: nowSeconds(),
    data: { object, ...(previous === undefined ? {} : { previous_attributes: previous }) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    ...rest,
  };
  return structuredClone(event) as unknown as Stripe.Event;
}
