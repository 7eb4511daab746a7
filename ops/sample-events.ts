import { randomBytes } from 'node:crypto';

/** What a sample event is about. */
export interface SampleOptions {
  /** Ids by which rows of the sample are found again; the same ones continue the same story. */
  readonly user: string;
  readonly app: string | undefined;
  readonly project: string | undefined;
  readonly now: Date;
}

type Fields = Readonly<Record<string, unknown>>;

const MONTH_SECONDS = 30 * 86_400;
const AMOUNT = 2900;

const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString('hex')}`;
const seconds = ({ now }: SampleOptions): number => Math.floor(now.getTime() / 1000);
const metadataOf = ({ user, app, project }: SampleOptions): Fields => ({
  user_id: user,
  ...(app === undefined ? {} : { app_id: app }),
  ...(project === undefined ? {} : { project_id: project }),
});

/** Fields of every object of the sample; one user has one customer, subscription and charge. */
function common(object: string, prefix: string, options: SampleOptions): Fields {
  return {
    id: `${prefix}_${options.user}`,
    object,
    created: seconds(options),
    currency: 'usd',
    customer: `cus_${options.user}`,
    livemode: false,
    metadata: metadataOf(options),
  };
}

function subscription(status: string, options: SampleOptions): Fields {
  const start = seconds(options);
  const item = {
    id: `si_${options.user}`,
    object: 'subscription_item',
    created: start,
    current_period_start: start,
    current_period_end: start + MONTH_SECONDS,
    metadata: {},
    price: {
      id: 'price_sample',
      object: 'price',
      currency: 'usd',
      product: 'prod_sample',
      unit_amount: AMOUNT,
      recurring: { interval: 'month', interval_count: 1 },
    },
    quantity: 1,
    subscription: `sub_${options.user}`,
  };
  const isOver = status === 'canceled';
  return {
    ...common('subscription', 'sub', options),
    billing_cycle_anchor: start,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: isOver ? start : null,
    collection_method: 'charge_automatically',
    ended_at: isOver ? start : null,
    items: { object: 'list', data: [item], has_more: false, url: '/v1/subscription_items' },
    latest_invoice: null,
    pause_collection: null,
    start_date: start,
    status,
    trial_end: null,
    trial_start: null,
  };
}

function invoice(isPaid: boolean, options: SampleOptions): Fields {
  const created = seconds(options);
  return {
    ...common('invoice', 'in', options),
    id: newId('in'),
    amount_due: AMOUNT,
    amount_paid: isPaid ? AMOUNT : 0,
    amount_remaining: isPaid ? 0 : AMOUNT,
    attempt_count: 1,
    attempted: true,
    billing_reason: 'subscription_cycle',
    collection_method: 'charge_automatically',
    number: null,
    parent: {
      type: 'subscription_details',
      quote_details: null,
      subscription_details: { metadata: {}, subscription: `sub_${options.user}` },
    },
    period_end: created,
    period_start: created - MONTH_SECONDS,
    status: isPaid ? 'paid' : 'open',
    status_transitions: {
      finalized_at: created,
      marked_uncollectible_at: null,
      paid_at: isPaid ? created : null,
      voided_at: null,
    },
    subtotal: AMOUNT,
    total: AMOUNT,
  };
}

function checkoutSession(options: SampleOptions): Fields {
  return {
    ...common('checkout.session', 'cs_test', options),
    id: newId('cs_test'),
    amount_subtotal: AMOUNT,
    amount_total: AMOUNT,
    client_reference_id: null,
    expires_at: seconds(options) + 86_400,
    invoice: null,
    metadata: { ...metadataOf(options), kind: 'course', item_id: 'sample' },
    mode: 'payment',
    payment_intent: `pi_${options.user}`,
    payment_method_types: ['card'],
    payment_status: 'paid',
    status: 'complete',
    subscription: null,
  };
}

function paymentIntent(isPaid: boolean, options: SampleOptions): Fields {
  return {
    ...common('payment_intent', 'pi', options),
    amount: AMOUNT,
    amount_received: isPaid ? AMOUNT : 0,
    last_payment_error: isPaid
      ? null
      : { code: 'card_declined', message: 'Your card was declined.', type: 'card_error' },
    latest_charge: isPaid ? `ch_${options.user}` : null,
    status: isPaid ? 'succeeded' : 'requires_payment_method',
  };
}

function charge(options: SampleOptions): Fields {
  return {
    ...common('charge', 'ch', options),
    amount: AMOUNT,
    amount_captured: AMOUNT,
    amount_refunded: AMOUNT,
    captured: true,
    disputed: false,
    failure_code: null,
    failure_message: null,
    paid: true,
    payment_intent: `pi_${options.user}`,
    refunded: true,
    status: 'succeeded',
  };
}

function account(options: SampleOptions): Fields {
  return {
    id: `acct_${options.user}`,
    object: 'account',
    charges_enabled: true,
    created: seconds(options),
    details_submitted: true,
    metadata: metadataOf(options),
    payouts_enabled: false,
    requirements: {
      currently_due: ['external_account'],
      disabled_reason: 'requirements.past_due',
      past_due: ['external_account'],
    },
  };
}

/** The objects of the events of the guides, in the shape of the API version of the code. */
const OBJECTS = {
  'checkout.session.completed': checkoutSession,
  'payment_intent.succeeded': (options) => paymentIntent(true, options),
  'payment_intent.payment_failed': (options) => paymentIntent(false, options),
  'charge.refunded': charge,
  'account.updated': account,
  'customer.subscription.created': (options) => subscription('active', options),
  'customer.subscription.updated': (options) => subscription('past_due', options),
  'customer.subscription.deleted': (options) => subscription('canceled', options),
  'invoice.payment_succeeded': (options) => invoice(true, options),
  'invoice.payment_failed': (options) => invoice(false, options),
} satisfies Readonly<Record<string, (options: SampleOptions) => Fields>>;

export type SampleType = keyof typeof OBJECTS;

/** Types that there is a sample of. */
export const SAMPLE_TYPES = Object.keys(OBJECTS) as readonly SampleType[];

/** An event as Stripe delivers it in test mode. It names no API version: it is of that of the code. */
export function sampleEvent(type: SampleType, options: SampleOptions): Fields & { readonly id: string } {
  return {
    id: newId('evt'),
    object: 'event',
    api_version: null,
    created: seconds(options),
    data: { object: OBJECTS[type](options) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  };
}
