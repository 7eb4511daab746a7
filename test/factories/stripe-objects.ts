import type { StripeEvent } from '../../core/providers/stripe/shapes';

/** 2026-11-01T00:00:00Z: the moment at which the stories of the tests begin. */
export const EPOCH = 1_793_491_200;

type Fields = Record<string, unknown>;

const OWNER = { app_id: 'academy', project_id: 'project_1', user_id: 'user_1' };

/** A subscription in the shape of the API versions since 2025: the period is on the items. */
export function subscription(fields: Fields = {}): Fields {
  const id = (fields.id as string | undefined) ?? 'sub_1';
  return {
    object: 'subscription',
    customer: 'cus_1',
    status: 'active',
    currency: 'eur',
    cancel_at_period_end: false,
    canceled_at: null,
    ended_at: null,
    created: EPOCH,
    livemode: false,
    metadata: OWNER,
    items: { object: 'list', data: [subscriptionItem({ id: `si_${id}` })], has_more: false },
    ...fields,
    id,
  };
}

export function subscriptionItem(fields: Fields = {}): Fields {
  return {
    id: 'si_1',
    object: 'subscription_item',
    quantity: 1,
    price: {
      id: 'price_pro',
      product: 'prod_pro',
      unit_amount: 2_900,
      currency: 'eur',
      recurring: { interval: 'month' },
    },
    current_period_start: EPOCH,
    current_period_end: EPOCH + 30 * 86_400,
    ...fields,
  };
}

/** The same in the shape before 2025: the period is on the subscription. */
export function olderSubscription(fields: Fields = {}): Fields {
  const { current_period_start, current_period_end, ...item } = subscriptionItem();
  return subscription({ items: { data: [item] }, current_period_start, current_period_end, ...fields });
}

export function invoice(fields: Fields = {}): Fields {
  return {
    id: 'in_1',
    object: 'invoice',
    customer: 'cus_1',
    status: 'open',
    currency: 'eur',
    total: 2_900,
    amount_due: 2_900,
    amount_paid: 0,
    amount_remaining: 2_900,
    attempt_count: 0,
    period_start: EPOCH,
    period_end: EPOCH + 30 * 86_400,
    created: EPOCH,
    status_transitions: { paid_at: null },
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1', metadata: OWNER } },
    payments: { data: [{ is_default: true, payment: { type: 'payment_intent', payment_intent: 'pi_1' } }] },
    ...fields,
  };
}

/** The same in the shape before 2025: subscription and payment are the invoice's own fields. */
export function olderInvoice(fields: Fields = {}): Fields {
  const { parent: _parent, payments: _payments, ...rest } = invoice();
  return {
    ...rest,
    subscription: 'sub_1',
    subscription_details: { metadata: OWNER },
    payment_intent: 'pi_1',
    charge: 'ch_1',
    paid: false,
    ...fields,
  };
}

export function checkoutSession(fields: Fields = {}): Fields {
  return {
    id: 'cs_1',
    object: 'checkout.session',
    customer: 'cus_1',
    mode: 'payment',
    status: 'complete',
    payment_status: 'paid',
    payment_intent: 'pi_1',
    subscription: null,
    amount_total: 9_900,
    currency: 'eur',
    created: EPOCH,
    metadata: { kind: 'course', item_id: 'course_1', ...OWNER },
    ...fields,
  };
}

/** The same in the shape before 2021: without a status, and here with the customer expanded. */
export function olderCheckoutSession(fields: Fields = {}): Fields {
  const { status: _status, ...rest } = checkoutSession();
  return { ...rest, customer: { id: 'cus_1', object: 'customer' }, display_items: [], ...fields };
}

export function paymentIntent(fields: Fields = {}): Fields {
  return {
    id: 'pi_1',
    object: 'payment_intent',
    customer: 'cus_1',
    status: 'succeeded',
    amount: 9_900,
    amount_received: 9_900,
    currency: 'eur',
    created: EPOCH,
    latest_charge: 'ch_1',
    last_payment_error: null,
    metadata: OWNER,
    ...fields,
  };
}

/** The same in the shape before 2022: it carries its charges, and an invoice. */
export function olderPaymentIntent(fields: Fields = {}): Fields {
  const { latest_charge: _charge, ...rest } = paymentIntent();
  return { ...rest, charges: { object: 'list', data: [charge({ id: 'ch_1' })] }, invoice: null, ...fields };
}

/** A charge in the shape before 2022: it carries its refunds, here one of all that was refunded. */
export function olderCharge(fields: Fields = {}): Fields {
  const made = charge(fields);
  const whole = refund({ id: `re_${String(made.id)}`, charge: made.id, amount: made.amount_refunded });
  return { ...made, invoice: null, refunds: { object: 'list', data: [whole] } };
}

export function refund(fields: Fields = {}): Fields {
  return {
    id: 're_1',
    object: 'refund',
    charge: 'ch_1',
    payment_intent: 'pi_1',
    status: 'succeeded',
    amount: 3_000,
    currency: 'eur',
    reason: 'requested_by_customer',
    created: EPOCH,
    ...fields,
  };
}

export function customer(fields: Fields = {}): Fields {
  return {
    id: 'cus_1',
    object: 'customer',
    email: 'ada@example.com',
    name: 'Ada',
    currency: 'eur',
    delinquent: false,
    created: EPOCH,
    metadata: OWNER,
    ...fields,
  };
}

/** A Connect account that is paid out. */
export function account(fields: Fields = {}): Fields {
  return {
    id: 'acct_1',
    object: 'account',
    type: 'express',
    charges_enabled: true,
    payouts_enabled: true,
    details_submitted: true,
    requirements: { currently_due: [], past_due: [], disabled_reason: null },
    created: EPOCH,
    metadata: { user_id: 'coach_1' },
    ...fields,
  };
}

/** A capability of a Connect account. */
export function capability(fields: Fields = {}): Fields {
  return { id: 'transfers', object: 'capability', account: 'acct_1', status: 'active', requested: true, ...fields };
}

/** An event that the platform was let into a Connect account, or removed from it. */
export function authorization(change: 'authorized' | 'deauthorized', fields: Fields = {}): StripeEvent {
  const application = { id: 'ca_1', object: 'application', name: 'Academy' };
  return stripeEvent(`account.application.${change}`, application, { account: 'acct_1', ...fields });
}

/** The same in the shape before 2019. */
export function olderAccount(fields: Fields = {}): Fields {
  const { requirements: _requirements, payouts_enabled: _payouts, ...rest } = account();
  return { ...rest, transfers_enabled: true, verification: { disabled_reason: null, fields_needed: [] }, ...fields };
}

export function charge(fields: Fields = {}): Fields {
  return {
    id: 'ch_1',
    object: 'charge',
    customer: 'cus_1',
    payment_intent: 'pi_1',
    status: 'succeeded',
    amount: 9_900,
    amount_refunded: 0,
    currency: 'eur',
    created: EPOCH,
    payment_method_details: {
      type: 'card',
      card: {
        brand: 'visa',
        last4: '4242',
        exp_month: 12,
        exp_year: 2030,
        fingerprint: 'secret-fingerprint',
        iin: '424242',
      },
    },
    ...fields,
  };
}

export function invoicePayment(fields: Fields = {}): Fields {
  return {
    id: 'inpay_1',
    object: 'invoice_payment',
    invoice: 'in_1',
    amount_paid: 2_900,
    currency: 'eur',
    created: EPOCH,
    status: 'paid',
    payment: { type: 'payment_intent', payment_intent: 'pi_1' },
    ...fields,
  };
}

export function dispute(fields: Fields = {}): Fields {
  return {
    id: 'dp_1',
    object: 'dispute',
    charge: 'ch_1',
    amount: 9_900,
    currency: 'eur',
    created: EPOCH,
    status: 'needs_response',
    reason: 'fraudulent',
    evidence_details: { due_by: EPOCH + 9 * 86_400 },
    ...fields,
  };
}

export function earlyFraudWarning(fields: Fields = {}): Fields {
  return {
    id: 'issfr_1',
    object: 'radar.early_fraud_warning',
    charge: 'ch_1',
    actionable: true,
    fraud_type: 'made_with_stolen_card',
    created: EPOCH,
    ...fields,
  };
}

export function payout(fields: Fields = {}): Fields {
  return {
    id: 'po_1',
    object: 'payout',
    amount: 12_000,
    arrival_date: EPOCH + 2 * 86_400,
    automatic: true,
    created: EPOCH,
    currency: 'eur',
    destination: 'ba_1',
    failure_code: null,
    failure_message: null,
    metadata: {},
    method: 'standard',
    status: 'pending',
    ...fields,
  };
}

export function transfer(fields: Fields = {}): Fields {
  return {
    id: 'tr_1',
    object: 'transfer',
    amount: 8_000,
    amount_reversed: 0,
    created: EPOCH,
    currency: 'eur',
    destination: 'acct_1',
    source_transaction: 'ch_1',
    ...fields,
  };
}

let sequence = 0;

/** An event of the given type about the object; every call makes another event unless `fields.id` says which. */
export function stripeEvent(type: string, object: Fields, fields: Fields = {}): StripeEvent {
  sequence += 1;
  return {
    id: `evt_${process.pid}_${sequence}`,
    object: 'event',
    type,
    api_version: '2026-10-28.endive',
    created: EPOCH,
    livemode: false,
    ...fields,
    data: { object, ...(fields.data as Fields | undefined) },
  };
}
