import type Stripe from 'stripe';
import { newId, nowSeconds } from './objects';

/** More objects in the shape of API version 2026-10-28.endive; see objects.ts. */

const DAYS_TO_ANSWER = 9;
const SECONDS_PER_DAY = 86_400;

/** A payment intent whose payment succeeded. */
export function paymentIntentObject(overrides: Partial<Stripe.PaymentIntent> = {}): Stripe.PaymentIntent {
  const amount = overrides.amount ?? 4900;
  return {
    id: newId('pi'),
    object: 'payment_intent',
    amount,
    amount_received: amount,
    capture_method: 'automatic',
    created: nowSeconds(),
    currency: 'usd',
    customer: newId('cus'),
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    metadata: {},
    status: 'succeeded',
    ...overrides,
  } satisfies Partial<Stripe.PaymentIntent> as Stripe.PaymentIntent;
}

/** The payment of an invoice by a payment intent. */
export function invoicePaymentObject(overrides: Partial<Stripe.InvoicePayment> = {}): Stripe.InvoicePayment {
  return {
    id: newId('inpay'),
    object: 'invoice_payment',
    amount_paid: 2900,
    amount_requested: 2900,
    created: nowSeconds(),
    currency: 'usd',
    invoice: newId('in'),
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: newId('pi') },
    status: 'paid',
    ...overrides,
  } satisfies Partial<Stripe.InvoicePayment> as Stripe.InvoicePayment;
}

/** A dispute that has to be answered; its amount was withdrawn. */
export function disputeObject(overrides: Partial<Stripe.Dispute> = {}): Stripe.Dispute {
  const created = overrides.created ?? nowSeconds();
  return {
    id: newId('dp'),
    object: 'dispute',
    amount: 4900,
    charge: newId('ch'),
    created,
    currency: 'usd',
    evidence_details: {
      due_by: created + DAYS_TO_ANSWER * SECONDS_PER_DAY,
      has_evidence: false,
      past_due: false,
      submission_count: 0,
    } as Stripe.Dispute.EvidenceDetails,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: newId('pi'),
    reason: 'fraudulent',
    status: 'needs_response',
    ...overrides,
  } satisfies Partial<Stripe.Dispute> as Stripe.Dispute;
}

export function earlyFraudWarningObject(
  overrides: Partial<Stripe.Radar.EarlyFraudWarning> = {},
): Stripe.Radar.EarlyFraudWarning {
  return {
    id: newId('issfr'),
    object: 'radar.early_fraud_warning',
    actionable: true,
    charge: newId('ch'),
    created: nowSeconds(),
    fraud_type: 'misc',
    livemode: false,
    payment_intent: newId('pi'),
    ...overrides,
  };
}

/** A connected account that takes payments and is paid out to. */
export function accountObject(overrides: Partial<Stripe.Account> = {}): Stripe.Account {
  return {
    id: newId('acct'),
    object: 'account',
    charges_enabled: true,
    country: 'DE',
    created: nowSeconds(),
    default_currency: 'eur',
    details_submitted: true,
    metadata: {},
    payouts_enabled: true,
    requirements: { currently_due: [], past_due: [], disabled_reason: null } as unknown as Stripe.Account.Requirements,
    type: 'express',
    ...overrides,
  } satisfies Partial<Stripe.Account> as Stripe.Account;
}
