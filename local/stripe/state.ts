import type Stripe from 'stripe';
import { Collection } from './collection';
import {
  chargeObject,
  checkoutSessionObject,
  customerObject,
  eventObject,
  invoiceObject,
  newId,
  nowSeconds,
  refundObject,
  subscriptionObject,
} from './objects';
import {
  accountObject,
  disputeObject,
  earlyFraudWarningObject,
  invoicePaymentObject,
  paymentIntentObject,
} from './payment-objects';
import { Payouts } from './payouts';

/** The object after a change at Stripe, and the one event about the change. */
export interface Change<T> {
  readonly object: T;
  readonly event: Stripe.Event;
}

interface ChangeTime {
  /** When the change happens, in whole seconds since 1970. @default now */
  readonly atSeconds?: number;
}

/** A customer that a test does not create is this much older than what it bought. */
const CUSTOMER_AGE_SECONDS = 400 * 86_400;

/** An endpoint as far as the platform looks at it. */
export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  readonly status: 'disabled' | 'enabled';
  readonly api_version: string | null;
  readonly enabled_events: readonly string[];
}

/**
 * The objects of the stand-in. Each method is a change at Stripe that creates exactly one event, which is listed from then
 * on; the caller decides whether it is delivered as well.
 */
export class StripeState {
  readonly customers = new Collection<Stripe.Customer>();
  readonly subscriptions = new Collection<Stripe.Subscription>();
  readonly sessions = new Collection<Stripe.Checkout.Session>();
  readonly charges = new Collection<Stripe.Charge>();
  readonly refunds = new Collection<Stripe.Refund>();
  readonly invoices = new Collection<Stripe.Invoice>();
  readonly invoicePayments = new Collection<Stripe.InvoicePayment>();
  readonly paymentIntents = new Collection<Stripe.PaymentIntent>();
  readonly disputes = new Collection<Stripe.Dispute>();
  readonly earlyFraudWarnings = new Collection<Stripe.Radar.EarlyFraudWarning>();
  readonly accounts = new Collection<Stripe.Account & { created: number }>();
  readonly payouts = new Payouts();
  readonly events = new Collection<Stripe.Event>();
  /** Ids of the test clocks. Plain lists leave out what belongs to one. */
  readonly testClocks = new Set<string>();
  /** Where Stripe would deliver events; nothing is delivered there. */
  readonly webhookEndpoints: WebhookEndpoint[] = [];

  /** @param now seconds since 1970: which events are too old to be listed */
  constructor(readonly now: () => number = nowSeconds) {}

  createCustomer(overrides: Partial<Stripe.Customer> = {}): Change<Stripe.Customer> {
    return this.record('customer.created', this.customers.put(customerObject(overrides)), overrides.created);
  }

  createSubscription(overrides: Partial<Stripe.Subscription> = {}): Change<Stripe.Subscription> {
    const subscription = subscriptionObject(overrides);
    this.ensureCustomer(subscription.customer, subscription.created);
    return this.record('customer.subscription.created', this.subscriptions.put(subscription), subscription.created);
  }

  updateSubscription(
    id: string,
    changes: Partial<Stripe.Subscription>,
    { atSeconds }: ChangeTime = {},
  ): Change<Stripe.Subscription> {
    const before = this.subscriptions.require(id);
    const previous = Object.fromEntries(
      Object.keys(changes).map((key) => [key, before[key as keyof Stripe.Subscription]]),
    );
    const subscription = this.subscriptions.put({ ...before, ...changes });
    return this.record('customer.subscription.updated', subscription, atSeconds, previous);
  }

  cancelSubscription(id: string, { atSeconds = nowSeconds() }: ChangeTime = {}): Change<Stripe.Subscription> {
    const subscription = this.subscriptions.put({
      ...this.subscriptions.require(id),
      status: 'canceled',
      canceled_at: atSeconds,
      ended_at: atSeconds,
    });
    return this.record('customer.subscription.deleted', subscription, atSeconds);
  }

  /** Bills a subscription and collects the money. */
  payInvoice(subscriptionId: string, overrides: Partial<Stripe.Invoice> = {}): Change<Stripe.Invoice> {
    const invoice = this.createInvoice(subscriptionId, overrides);
    const paid = this.invoices.put({
      ...invoice,
      status: 'paid',
      amount_paid: invoice.total,
      amount_remaining: 0,
      attempt_count: 1,
      attempted: true,
      status_transitions: { ...invoice.status_transitions, paid_at: invoice.created },
    });
    return this.record('invoice.payment_succeeded', paid, invoice.created);
  }

  /** Bills a subscription whose payment method is declined. */
  failInvoice(subscriptionId: string, overrides: Partial<Stripe.Invoice> = {}): Change<Stripe.Invoice> {
    const invoice = this.invoices.put({
      ...this.createInvoice(subscriptionId, overrides),
      attempt_count: 1,
      attempted: true,
    });
    return this.record('invoice.payment_failed', invoice, invoice.created);
  }

  /** A purchase through checkout. In mode `payment` it has a charge, which can be refunded. */
  completeCheckout(overrides: Partial<Stripe.Checkout.Session> = {}): Change<Stripe.Checkout.Session> {
    const session = this.sessions.put(checkoutSessionObject(overrides));
    const { customer, created, currency, amount_total: amount, payment_intent: intent } = session;
    this.ensureCustomer(customer, created);
    if (session.mode === 'payment' && amount !== null && currency !== null) {
      this.charges.put(chargeObject({ customer, created, currency, amount, payment_intent: intent }));
    }
    return this.record('checkout.session.completed', session, created);
  }

  createCharge(overrides: Partial<Stripe.Charge> = {}): Change<Stripe.Charge> {
    const charge = this.charges.put(chargeObject(overrides));
    this.ensureCustomer(charge.customer, charge.created);
    return this.record('charge.succeeded', charge, charge.created);
  }

  /** Refunds `amount` of a charge, in the currency's smallest unit. @default what is not refunded yet */
  refundCharge(id: string, amount?: number, { atSeconds = nowSeconds() }: ChangeTime = {}): Change<Stripe.Charge> {
    const before = this.charges.require(id);
    const refund = amount ?? before.amount - before.amount_refunded;
    const refunded = before.amount_refunded + refund;
    if (refunded > before.amount) throw new RangeError(`Charge ${id} has only ${before.amount} to refund`);
    this.refunds.put(refundObject({ charge: id, amount: refund, currency: before.currency, created: atSeconds }));
    const charge = this.charges.put({ ...before, amount_refunded: refunded, refunded: refunded === before.amount });
    return this.record('charge.refunded', charge, atSeconds, { amount_refunded: before.amount_refunded });
  }

  createPaymentIntent(overrides: Partial<Stripe.PaymentIntent> = {}): Change<Stripe.PaymentIntent> {
    const intent = this.paymentIntents.put(paymentIntentObject(overrides));
    this.ensureCustomer(intent.customer, intent.created);
    return this.record('payment_intent.succeeded', intent, intent.created);
  }

  /** Says which payment intent paid an invoice. */
  recordInvoicePayment(overrides: Partial<Stripe.InvoicePayment> = {}): Change<Stripe.InvoicePayment> {
    const payment = this.invoicePayments.put(invoicePaymentObject(overrides));
    return this.record('invoice_payment.paid', payment, payment.created);
  }

  openDispute(overrides: Partial<Stripe.Dispute> = {}): Change<Stripe.Dispute> {
    const dispute = this.disputes.put(disputeObject(overrides));
    return this.record('charge.dispute.created', dispute, dispute.created);
  }

  closeDispute(id: string, status: 'won' | 'lost', { atSeconds }: ChangeTime = {}): Change<Stripe.Dispute> {
    const dispute = this.disputes.put({ ...this.disputes.require(id), status });
    return this.record('charge.dispute.closed', dispute, atSeconds);
  }

  warnOfFraud(overrides: Partial<Stripe.Radar.EarlyFraudWarning> = {}): Change<Stripe.Radar.EarlyFraudWarning> {
    const warning = this.earlyFraudWarnings.put(earlyFraudWarningObject(overrides));
    return this.record('radar.early_fraud_warning.created', warning, warning.created);
  }

  /** A connected account; its events name it. */
  updateAccount(overrides: Partial<Stripe.Account> = {}, { atSeconds }: ChangeTime = {}): Change<Stripe.Account> {
    const account = accountObject({ ...this.accounts.get(overrides.id ?? ''), ...overrides });
    this.accounts.put({ ...account, created: account.created ?? nowSeconds() });
    const { event } = this.record('account.updated', account, atSeconds ?? account.created);
    return { object: account, event: this.events.put({ ...event, account: account.id }) };
  }

  createTestClock(): string {
    const id = newId('clock');
    this.testClocks.add(id);
    return id;
  }

  /** Deletes a test clock, and with it everything that belongs to it; no event tells of it. */
  deleteTestClock(id: string): void {
    this.testClocks.delete(id);
    for (const collection of [this.subscriptions, this.customers]) {
      for (const object of collection.newestFirst()) if (object.test_clock === id) collection.delete(object.id);
    }
  }

  /** The charge that paid for a checkout session. */
  chargeOf(session: Stripe.Checkout.Session): Stripe.Charge {
    const charge = this.charges.newestFirst().find(({ payment_intent: intent }) => intent === session.payment_intent);
    if (charge === undefined) throw new Error(`Session ${session.id} has no charge`);
    return charge;
  }

  private createInvoice(subscriptionId: string, overrides: Partial<Stripe.Invoice>): Stripe.Invoice {
    const { customer, currency } = this.subscriptions.require(subscriptionId);
    const id = typeof customer === 'string' ? customer : customer.id;
    return invoiceObject(subscriptionId, { id: newId('in'), customer: id, currency, ...overrides });
  }

  private ensureCustomer(customer: string | { id: string } | null | undefined, created: number | undefined): void {
    if (customer == null) return;
    const id = typeof customer === 'string' ? customer : customer.id;
    if (this.customers.get(id) !== undefined) return;
    this.customers.put(customerObject({ id, created: (created ?? nowSeconds()) - CUSTOMER_AGE_SECONDS }));
  }

  private record<T extends object>(type: string, object: T, atSeconds = nowSeconds(), previous?: object): Change<T> {
    return { object, event: this.events.put(eventObject(type, object, { created: atSeconds, previous })) };
  }
}
