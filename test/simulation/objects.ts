/**
 * The objects of the simulated Stripe, in the shape of API version 2026-10-28.endive: only the fields that decide about
 * access and money. Times are seconds since 1970, amounts are in the currency's smallest unit.
 */

export type Metadata = Record<string, string>;

export interface Price {
  readonly id: string;
  readonly product: string;
  readonly unit_amount: number;
  readonly currency: string;
  readonly recurring: { readonly interval: 'month' | 'year' };
}

export interface Item {
  readonly id: string;
  readonly object: 'subscription_item';
  quantity: number;
  price: Price;
  current_period_start: number;
  current_period_end: number;
}

export type PauseBehavior = 'void' | 'keep_as_draft' | 'mark_uncollectible';

export interface Subscription {
  readonly id: string;
  readonly object: 'subscription';
  readonly customer: string;
  status: 'incomplete' | 'incomplete_expired' | 'trialing' | 'active' | 'past_due' | 'unpaid' | 'canceled';
  readonly currency: string;
  cancel_at_period_end: boolean;
  readonly cancel_at: null;
  canceled_at: number | null;
  ended_at: number | null;
  readonly trial_end: number | null;
  readonly created: number;
  readonly collection_method: 'charge_automatically' | 'send_invoice';
  readonly days_until_due: number | null;
  metadata: Metadata;
  pause_collection: { readonly behavior: PauseBehavior; readonly resumes_at: number | null } | null;
  /** Only a list for the clock shows what belongs to it. */
  readonly test_clock: string | null;
  items: { readonly object: 'list'; readonly has_more: false; data: Item[] };
}

export interface Line {
  readonly id: string;
  readonly object: 'line_item';
  readonly amount: number;
  readonly quantity: number;
  readonly period: { readonly start: number; readonly end: number };
  readonly pricing: { readonly type: 'price_details'; readonly price_details: { price: string; product: string } };
  readonly parent: {
    readonly type: 'subscription_item_details';
    readonly subscription_item_details: { subscription: string; subscription_item: string; proration: boolean };
  };
}

export interface Invoice {
  readonly id: string;
  readonly object: 'invoice';
  readonly customer: string;
  status: 'draft' | 'open' | 'paid' | 'void' | 'uncollectible';
  readonly currency: string;
  readonly total: number;
  readonly amount_due: number;
  amount_paid: number;
  amount_remaining: number;
  attempt_count: number;
  readonly billing_reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update';
  readonly collection_method: Subscription['collection_method'];
  due_date: number | null;
  readonly created: number;
  readonly period_start: number;
  readonly period_end: number;
  readonly lines: { readonly object: 'list'; readonly has_more: false; readonly data: readonly Line[] };
  status_transitions: {
    finalized_at: number | null;
    marked_uncollectible_at: number | null;
    paid_at: number | null;
    voided_at: number | null;
  };
  readonly parent: {
    readonly type: 'subscription_details';
    readonly subscription_details: { readonly subscription: string; readonly metadata: Metadata };
  };
  readonly metadata: Metadata;
}

export interface Session {
  readonly id: string;
  readonly object: 'checkout.session';
  readonly customer: string;
  readonly mode: 'payment' | 'subscription';
  readonly status: 'complete';
  readonly payment_status: 'paid' | 'unpaid' | 'no_payment_required';
  readonly payment_intent: string | null;
  readonly subscription: string | null;
  readonly client_reference_id: string | null;
  readonly amount_total: number;
  readonly currency: string;
  readonly created: number;
  readonly metadata: Metadata;
}

export interface PaymentIntent {
  readonly id: string;
  readonly object: 'payment_intent';
  readonly customer: string;
  status: 'requires_payment_method' | 'requires_capture' | 'succeeded' | 'canceled';
  readonly amount: number;
  amount_received: number;
  readonly capture_method: 'automatic' | 'manual';
  readonly currency: string;
  readonly created: number;
  latest_charge: string | null;
  readonly metadata: Metadata;
}

export interface Charge {
  readonly id: string;
  readonly object: 'charge';
  readonly customer: string;
  readonly payment_intent: string;
  readonly status: 'succeeded' | 'failed';
  readonly amount: number;
  amount_captured: number;
  amount_refunded: number;
  captured: boolean;
  disputed: boolean;
  readonly currency: string;
  readonly created: number;
  readonly metadata: Metadata;
}

export interface Refund {
  readonly id: string;
  readonly object: 'refund';
  readonly charge: string | null;
  readonly payment_intent: string;
  status: 'pending' | 'succeeded' | 'failed' | 'canceled';
  /** Null where Stripe made it of an amount that was authorised and not captured. */
  readonly reason: 'requested_by_customer' | null;
  readonly amount: number;
  readonly currency: string;
  readonly created: number;
}

export interface Dispute {
  readonly id: string;
  readonly object: 'dispute';
  readonly charge: string;
  readonly payment_intent: string;
  status: 'needs_response' | 'under_review' | 'won' | 'lost';
  readonly amount: number;
  readonly currency: string;
  readonly reason: 'fraudulent' | 'product_not_received';
  readonly created: number;
  readonly evidence_details: { readonly due_by: number };
}

export interface InvoicePayment {
  readonly id: string;
  readonly object: 'invoice_payment';
  readonly invoice: string;
  readonly amount_paid: number;
  readonly currency: string;
  readonly created: number;
  readonly is_default: true;
  readonly status: 'paid';
  readonly payment: { readonly type: 'payment_intent'; readonly payment_intent: string };
}

export interface EarlyFraudWarning {
  readonly id: string;
  readonly object: 'radar.early_fraud_warning';
  readonly charge: string;
  readonly payment_intent: string;
  actionable: boolean;
  readonly fraud_type: 'misc';
  readonly created: number;
}

/** A connected account. */
export interface Account {
  readonly id: string;
  readonly object: 'account';
  readonly created: number;
  readonly metadata: Metadata;
  charges_enabled: boolean;
  payouts_enabled: boolean;
  readonly details_submitted: true;
  requirements: {
    readonly currently_due: string[];
    readonly past_due: string[];
    readonly disabled_reason: string | null;
  };
}

export interface Customer {
  readonly id: string;
  readonly object: 'customer';
  email: string | null;
  readonly created: number;
  readonly test_clock: string | null;
  metadata: Metadata;
}

/** An event as Stripe sends it; `data.object` is a copy of the object at that moment. */
export interface SimulatedEvent {
  readonly id: string;
  readonly object: 'event';
  readonly type: string;
  readonly api_version: string;
  readonly created: number;
  readonly livemode: false;
  readonly data: { readonly object: Record<string, unknown>; readonly previous_attributes?: object };
}
