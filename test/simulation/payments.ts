import type { Charge, Dispute, EarlyFraudWarning, Metadata, PaymentIntent, Refund, Session } from './objects';
import { DAY, type StripeState } from './state';

/** A payment that succeeds: its intent and its charge, each with its event. */
export function collect(stripe: StripeState, customer: string, amount: number): PaymentIntent {
  const intent = newIntent(stripe, customer, amount, 'automatic');
  const { id } = charge(stripe, intent, amount);
  const paid = { status: 'succeeded', amount_received: amount, latest_charge: id } as const;
  stripe.log.change('payment_intent.succeeded', intent, paid);
  return intent;
}

/** What is sold once, through Checkout. `manual` only authorises the amount; see {@link capture}. */
export interface Sale {
  readonly customer: string;
  readonly amount: number;
  readonly metadata: Metadata;
  readonly clientReferenceId: string | null;
  readonly capture: 'automatic' | 'manual';
}

export function sell(stripe: StripeState, sale: Sale): Session {
  const { customer, amount } = sale;
  const automatic = sale.capture === 'automatic';
  const intent = automatic ? collect(stripe, customer, amount) : authorise(stripe, customer, amount);
  const session: Session = {
    id: stripe.log.id('cs'),
    object: 'checkout.session',
    customer,
    mode: 'payment',
    status: 'complete',
    payment_status: automatic ? 'paid' : 'unpaid',
    payment_intent: intent.id,
    subscription: null,
    client_reference_id: sale.clientReferenceId,
    amount_total: amount,
    currency: 'usd',
    created: stripe.now,
    metadata: sale.metadata,
  };
  stripe.sessions.set(session.id, session);
  stripe.log.emit('checkout.session.completed', session);
  return session;
}

function authorise(stripe: StripeState, customer: string, amount: number): PaymentIntent {
  const intent = newIntent(stripe, customer, amount, 'manual');
  const { id } = charge(stripe, intent, 0);
  stripe.log.change('payment_intent.amount_capturable_updated', intent, {
    status: 'requires_capture',
    latest_charge: id,
  });
  return intent;
}

/** Takes a part of an authorised amount; the rest is released, of which Stripe makes a refund, and adds it to `amount_refunded`. */
export function capture(stripe: StripeState, authorised: Charge, amount: number): void {
  const intent = stripe.intents.get(authorised.payment_intent)!;
  if (intent.status !== 'requires_capture') return;
  stripe.log.change('charge.captured', authorised, {
    captured: true,
    amount_captured: amount,
    amount_refunded: authorised.amount - amount,
  });
  if (amount < authorised.amount) makeRefund(stripe, authorised, authorised.amount - amount, null, true);
  stripe.log.change('payment_intent.succeeded', intent, { status: 'succeeded', amount_received: amount });
}

/** @param namesCharge false for a refund that names its payment intent only */
export function refund(stripe: StripeState, charged: Charge, amount: number, namesCharge: boolean): Refund | undefined {
  const left = charged.amount - charged.amount_refunded;
  if (!charged.captured || left <= 0) return undefined;
  const made = makeRefund(stripe, charged, Math.min(amount, left), 'requested_by_customer', namesCharge);
  stripe.log.change('charge.refunded', charged, { amount_refunded: charged.amount_refunded + made.amount });
  return made;
}

function makeRefund(
  stripe: StripeState,
  charged: Charge,
  amount: number,
  reason: Refund['reason'],
  namesCharge: boolean,
): Refund {
  const made: Refund = {
    id: stripe.log.id('re'),
    object: 'refund',
    charge: namesCharge ? charged.id : null,
    payment_intent: charged.payment_intent,
    status: 'succeeded',
    reason,
    amount,
    currency: 'usd',
    created: stripe.now,
  };
  stripe.refunds.set(made.id, made);
  stripe.log.emit('refund.created', made);
  return made;
}

/** The bank sends a refund back, weeks later. */
export function failRefund(stripe: StripeState, failed: Refund, charged: Charge): void {
  if (failed.status !== 'succeeded') return;
  stripe.log.change('refund.failed', failed, { status: 'failed' });
  stripe.log.change('charge.updated', charged, { amount_refunded: charged.amount_refunded - failed.amount });
}

/** The card's network suspects a charge, which then can be refunded before it is disputed. */
export function warnOfFraud(stripe: StripeState, suspected: Charge): void {
  const warning: EarlyFraudWarning = {
    id: stripe.log.id('issfr'),
    object: 'radar.early_fraud_warning',
    charge: suspected.id,
    payment_intent: suspected.payment_intent,
    actionable: true,
    fraud_type: 'misc',
    created: stripe.now,
  };
  stripe.warnings.set(warning.id, warning);
  stripe.log.emit('radar.early_fraud_warning.created', warning);
  stripe.agenda.schedule(stripe.now + 10 * DAY, () =>
    stripe.log.change('radar.early_fraud_warning.updated', warning, { actionable: false }),
  );
}

/** A cardholder disputes a charge; the bank decides weeks later. */
export function dispute(stripe: StripeState, disputed: Charge): void {
  if (disputed.disputed || !disputed.captured) return;
  const { id, log } = { id: stripe.log.id('dp'), log: stripe.log };
  const opened: Dispute = {
    id,
    object: 'dispute',
    charge: disputed.id,
    payment_intent: disputed.payment_intent,
    status: 'needs_response',
    amount: disputed.amount_captured,
    currency: 'usd',
    reason: 'fraudulent',
    created: stripe.now,
    evidence_details: { due_by: stripe.now + 9 * DAY },
  };
  stripe.disputes.set(opened.id, opened);
  log.emit('charge.dispute.created', opened);
  log.change('charge.updated', disputed, { disputed: true });
  log.emit('charge.dispute.funds_withdrawn', opened);
  stripe.agenda.schedule(stripe.now + 5 * DAY, () =>
    log.change('charge.dispute.updated', opened, { status: 'under_review' }),
  );
  const won = stripe.random.chance(0.5);
  stripe.agenda.schedule(stripe.now + stripe.random.integer(20, 60) * DAY, () => {
    log.change('charge.dispute.closed', opened, { status: won ? 'won' : 'lost' });
    if (won) log.emit('charge.dispute.funds_reinstated', opened);
  });
}

function newIntent(
  stripe: StripeState,
  customer: string,
  amount: number,
  capture_method: PaymentIntent['capture_method'],
): PaymentIntent {
  const intent: PaymentIntent = {
    id: stripe.log.id('pi'),
    object: 'payment_intent',
    customer,
    status: 'requires_payment_method',
    amount,
    amount_received: 0,
    capture_method,
    currency: 'usd',
    created: stripe.now,
    latest_charge: null,
    metadata: {},
  };
  stripe.intents.set(intent.id, intent);
  stripe.log.emit('payment_intent.created', intent);
  return intent;
}

function charge(stripe: StripeState, intent: PaymentIntent, captured: number): Charge {
  const made: Charge = {
    id: stripe.log.id('ch'),
    object: 'charge',
    customer: intent.customer,
    payment_intent: intent.id,
    status: 'succeeded',
    amount: intent.amount,
    amount_captured: captured,
    amount_refunded: 0,
    captured: captured > 0,
    disputed: false,
    currency: 'usd',
    created: stripe.now,
    metadata: {},
  };
  stripe.charges.set(made.id, made);
  stripe.log.emit('charge.succeeded', made);
  return made;
}
