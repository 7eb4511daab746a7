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

const MONTH_SECONDS = 30 * 86_400;
const LINKS: readonly Kind[] = ['link_0', 'link_1', 'link_2', 'link_3', 'link_4', 'link_5'];

const customerId = ({ ids }: Subscriber) => `cus_${ids('customer')}`;
const subscriptionId = ({ ids }: Subscriber) => `sub_${ids('subscription')}`;
/** As random as Stripe's: rows that compress to nothing would flatter the contender that compresses best. */
const link = ({ ids }: Subscriber) => LINKS.map(ids).join('');

function metadata({ ids }: Subscriber) {
  return { app_id: 'academy', project_id: 'project_1', user_id: `user_${ids('customer')}` };
}

const address = (line1: string | null) => ({
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

const itemIds = ({ ids, items }: Subscriber) =>
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

function lines(of: Subscriber, invoiceId: string) {
  return itemIds(of).map((item, index) => ({
    id: `il_${of.ids((['line_0', 'line_1', 'line_2'] as const)[index] ?? 'line_0')}`,
    object: 'line_item',
    amount: 2900,
    currency: 'usd',
    description: `1 × Plan ${index} of the academy (at $29.00 / month)`,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: invoiceId,
    livemode: false,
    metadata: metadata(of),
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: { credited_items: null },
        subscription: subscriptionId(of),
        subscription_item: item,
      },
      type: 'subscription_item_details',
    },
    period: { end: of.subscribedAt + MONTH_SECONDS, start: of.subscribedAt },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: PRICE_IDS[index], product: `prod_benchmark_${index}` },
      type: 'price_details',
      unit_amount_decimal: '2900',
    },
    quantity: 1,
    taxes: [],
  }));
}

export function invoice(of: Subscriber, kind: 'invoice' | 'failed_invoice', changes: object): object {
  const { ids, subscribedAt } = of;
  const id = `in_${ids(kind)}`;
  const total = 2900 * of.items;
  return {
    id,
    object: 'invoice',
    account_country: 'DE',
    account_name: 'Benchmark Academy GmbH',
    account_tax_ids: null,
    amount_due: total,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: total,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: 'subscription_cycle',
    collection_method: 'charge_automatically',
    confirmation_secret: null,
    created: subscribedAt,
    currency: 'usd',
    custom_fields: null,
    customer: customerId(of),
    customer_account: null,
    customer_address: address('Obere Sandstrasse 12'),
    customer_email: `${ids('customer')}@example.com`,
    customer_name: 'Johanna Mustermann',
    customer_phone: '+49 951 123456',
    customer_shipping: null,
    customer_tax_exempt: 'none',
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    due_date: null,
    effective_at: subscribedAt,
    ending_balance: 0,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: `https://invoice.stripe.com/i/acct_benchmark/test_${link(of)}?s=ap`,
    invoice_pdf: `https://pay.stripe.com/invoice/acct_benchmark/test_${link(of)}/pdf?s=ap`,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: {
      object: 'list',
      data: lines(of, id),
      has_more: false,
      total_count: of.items,
      url: `/v1/invoices/${id}/lines`,
    },
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: `${ids('customer').slice(0, 8).toUpperCase()}-0001`,
    on_behalf_of: null,
    parent: {
      quote_details: null,
      subscription_details: { metadata: metadata(of), subscription: subscriptionId(of) },
      type: 'subscription_details',
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: subscribedAt,
    period_start: subscribedAt - MONTH_SECONDS,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: { amount_tax_display: null, pdf: { page_size: 'auto' }, template: null, template_version: null },
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'open',
    status_transitions: {
      finalized_at: subscribedAt,
      marked_uncollectible_at: null,
      paid_at: null,
      voided_at: null,
    },
    subtotal: total,
    subtotal_excluding_tax: total,
    test_clock: null,
    threshold_reason: null,
    total,
    total_discount_amounts: [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: subscribedAt,
    ...changes,
  };
}

export function paymentIntent(of: Subscriber): object {
  const { ids, subscribedAt } = of;
  const total = 2900 * of.items;
  return {
    id: `pi_${ids('intent')}`,
    object: 'payment_intent',
    amount: total,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: total,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic',
    client_secret: `pi_${ids('intent')}_secret_${ids('link_0')}`,
    confirmation_method: 'automatic',
    created: subscribedAt,
    currency: 'usd',
    customer: customerId(of),
    customer_account: null,
    description: 'Subscription creation',
    excluded_payment_method_types: null,
    hooks: null,
    last_payment_error: null,
    latest_charge: `ch_${ids('charge')}`,
    livemode: false,
    metadata: {},
    next_action: null,
    on_behalf_of: null,
    payment_details: { customer_reference: null, order_reference: `in_${ids('invoice')}` },
    payment_method: `pm_${ids('method')}`,
    payment_method_configuration_details: null,
    payment_method_options: {
      card: {
        installments: null,
        mandate_options: null,
        network: null,
        request_three_d_secure: 'automatic',
        setup_future_usage: 'off_session',
      },
      link: { persistent_token: null },
      sepa_debit: {},
    },
    payment_method_types: ['card', 'link', 'sepa_debit'],
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: 'off_session',
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'succeeded',
    transfer_data: null,
    transfer_group: null,
  };
}

export function charge(of: Subscriber): object {
  const { ids, subscribedAt } = of;
  const total = 2900 * of.items;
  return {
    id: `ch_${ids('charge')}`,
    object: 'charge',
    amount: total,
    amount_captured: total,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: `txn_${ids('balance')}`,
    billing_details: {
      address: address(null),
      email: `${ids('customer')}@example.com`,
      name: 'Johanna Mustermann',
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'BENCHMARK ACADEMY',
    captured: true,
    created: subscribedAt,
    currency: 'usd',
    customer: customerId(of),
    description: 'Subscription creation',
    destination: null,
    dispute: null,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    on_behalf_of: null,
    order: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: 'approved_by_network',
      reason: null,
      risk_level: 'normal',
      risk_score: 23,
      seller_message: 'Payment complete.',
      type: 'authorized',
    },
    paid: true,
    payment_intent: `pi_${ids('intent')}`,
    payment_method: `pm_${ids('method')}`,
    payment_method_details: {
      card: {
        amount_authorized: total,
        authorization_code: '123456',
        brand: 'visa',
        checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
        country: 'US',
        exp_month: 11,
        exp_year: 2029,
        extended_authorization: { status: 'disabled' },
        fingerprint: ids('link_1').slice(0, 16),
        funding: 'credit',
        incremental_authorization: { status: 'unavailable' },
        installments: null,
        last4: '4242',
        mandate: null,
        multicapture: { status: 'unavailable' },
        network: 'visa',
        network_token: { used: false },
        network_transaction_id: ids('link_2').slice(0, 15),
        overcapture: { maximum_amount_capturable: total, status: 'unavailable' },
        regulated_status: 'unregulated',
        three_d_secure: null,
        wallet: null,
      },
      type: 'card',
    },
    radar_options: {},
    receipt_email: null,
    receipt_number: null,
    receipt_url: `https://pay.stripe.com/receipts/invoices/${link(of)}?s=ap`,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'succeeded',
    transfer_data: null,
    transfer_group: null,
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
