import { API_VERSION } from '../../local/stripe/objects';

/**
 * Bodies of events as Stripe sends them: every field that Stripe's own fixtures have of an object, nulls included, with ids
 * as long as Stripe's. Most of an event is what no receiver reads, and has to be parsed, kept and written all the same.
 */

/** Gives the id of a kind; of one subscription, or its placeholder. */
export type Ids = (kind: Kind) => string;

/** Kinds of ids. A template of rows has a placeholder for each. */
export const KINDS = [
  'subscription',
  'customer',
  'item_0',
  'item_1',
  'item_2',
  'invoice',
  'failed_invoice',
  'intent',
  'charge',
  'method',
  'balance',
  'line_0',
  'line_1',
  'line_2',
  'request',
  'event',
  'link_0',
  'link_1',
  'link_2',
  'link_3',
  'link_4',
  'link_5',
] as const;
export type Kind = (typeof KINDS)[number];

/** Prices of the catalogue; a company has a handful, shared by all subscriptions. */
export const PRICE_IDS = ['price_benchmark_plan', 'price_benchmark_seats', 'price_benchmark_storage'] as const;

/** A person's data, and how many items their subscription has. */
export interface Subscriber {
  readonly ids: Ids;
  /** From one to three. */
  readonly items: number;
  /** Seconds since 1970. */
  readonly subscribedAt: number;
}

export const MONTH_SECONDS = 30 * 86_400;
const LINKS: readonly Kind[] = ['link_0', 'link_1', 'link_2', 'link_3', 'link_4', 'link_5'];

export const customerId = ({ ids }: Subscriber) => `cus_${ids('customer')}`;
export const subscriptionId = ({ ids }: Subscriber) => `sub_${ids('subscription')}`;
/** As random as Stripe's: rows that compress to nothing would flatter the contender that compresses best. */
export const link = ({ ids }: Subscriber) => LINKS.map(ids).join('');

export function metadata({ ids }: Subscriber) {
  return { app_id: 'academy', project_id: 'project_1', user_id: `user_${ids('customer')}` };
}

export const address = (line1: string | null) => ({
  city: line1 && 'Bamberg',
  country: line1 && 'DE',
  line1,
  line2: null,
  postal_code: line1 && '96047',
  state: null,
});

export function customer(of: Subscriber): object {
  const { ids } = of;
  return {
    id: customerId(of),
    object: 'customer',
    address: address('Obere Sandstrasse 12'),
    balance: 0,
    created: of.subscribedAt,
    currency: 'usd',
    default_source: null,
    delinquent: false,
    description: 'Learner of the academy, imported from the course platform',
    discount: null,
    email: `${ids('customer')}@example.com`,
    invoice_prefix: ids('customer').slice(0, 8).toUpperCase(),
    invoice_settings: {
      custom_fields: null,
      default_payment_method: `pm_${ids('method')}`,
      footer: null,
      rendering_options: null,
    },
    livemode: false,
    metadata: metadata(of),
    name: 'Johanna Mustermann',
    next_invoice_sequence: 2,
    phone: '+49 951 123456',
    preferred_locales: ['de-DE', 'en-US'],
    shipping: { address: address('Obere Sandstrasse 12'), name: 'Johanna Mustermann', phone: '+49 951 123456' },
    tax_exempt: 'none',
    test_clock: null,
  };
}

function price(index: number, createdAt: number) {
  return {
    id: PRICE_IDS[index],
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created: createdAt,
    currency: 'usd',
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: `prod_benchmark_${index}`,
    recurring: { interval: 'month', interval_count: 1, meter: null, trial_period_days: null, usage_type: 'licensed' },
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'recurring',
    unit_amount: 2900,
    unit_amount_decimal: '2900',
  };
}

function plan(index: number, createdAt: number) {
  return {
    id: PRICE_IDS[index],
    object: 'plan',
    active: true,
    amount: 2900,
    amount_decimal: '2900',
    billing_scheme: 'per_unit',
    created: createdAt,
    currency: 'usd',
    interval: 'month',
    interval_count: 1,
    livemode: false,
    metadata: {},
    meter: null,
    nickname: null,
    product: `prod_benchmark_${index}`,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: 'licensed',
  };
}

export const itemIds = ({ ids, items }: Subscriber) =>
  (['item_0', 'item_1', 'item_2'] as const).slice(0, items).map((kind) => `si_${ids(kind)}`);

export function subscription(of: Subscriber, changes: object): object {
  const { ids, subscribedAt } = of;
  const id = subscriptionId(of);
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: subscribedAt,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: null, type: 'classic' },
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, reason: null },
    collection_method: 'charge_automatically',
    created: subscribedAt,
    currency: 'usd',
    customer: customerId(of),
    customer_account: null,
    days_until_due: null,
    default_payment_method: `pm_${ids('method')}`,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    ended_at: null,
    invoice_settings: { account_tax_ids: null, issuer: { type: 'self' } },
    items: {
      object: 'list',
      data: itemIds(of).map((item, index) => ({
        id: item,
        object: 'subscription_item',
        billing_thresholds: null,
        created: subscribedAt,
        current_period_end: subscribedAt + MONTH_SECONDS,
        current_period_start: subscribedAt,
        discounts: [],
        metadata: {},
        plan: plan(index, subscribedAt),
        price: price(index, subscribedAt),
        quantity: 1,
        subscription: id,
        tax_rates: [],
      })),
      has_more: false,
      total_count: of.items,
      url: `/v1/subscription_items?subscription=${id}`,
    },
    latest_invoice: `in_${ids('invoice')}`,
    livemode: false,
    metadata: metadata(of),
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: {
        acss_debit: null,
        bancontact: null,
        card: { network: null, request_three_d_secure: 'automatic' },
        customer_balance: null,
        konbini: null,
        sepa_debit: null,
        us_bank_account: null,
      },
      payment_method_types: ['card', 'sepa_debit', 'link'],
      save_default_payment_method: 'on_subscription',
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    plan: of.items === 1 ? plan(0, subscribedAt) : null,
    quantity: of.items === 1 ? 1 : null,
    schedule: null,
    start_date: subscribedAt,
    status: 'active',
    test_clock: null,
    transfer_data: null,
    trial_end: null,
    trial_settings: { end_behavior: { missing_payment_method: 'create_invoice' } },
    trial_start: null,
    ...changes,
  };
}

/** An event as it is sent: its JSON with two spaces of indentation, as Stripe's is. */
export function eventBody(type: string, object: object, id: string, at: number, request: string): string {
  const event = {
    id,
    object: 'event',
    api_version: API_VERSION,
    created: at,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: `req_${request.slice(0, 14)}`, idempotency_key: `${request}-${request.slice(0, 11)}` },
    type,
  };
  return JSON.stringify(event, null, 2);
}
