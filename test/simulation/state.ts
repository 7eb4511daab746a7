import { Agenda, EventLog } from './ledger';
import type {
  Account,
  Charge,
  Customer,
  Dispute,
  EarlyFraudWarning,
  Invoice,
  InvoicePayment,
  Line,
  PaymentIntent,
  Price,
  Refund,
  Session,
  SimulatedEvent,
  Subscription,
} from './objects';
import type { Random } from './random';

export const HOUR = 3_600;
export const DAY = 24 * HOUR;

/** How a customer's payments turn out, and what becomes of a subscription whose retries all failed. */
export interface Wallet {
  /** Whether a payment is accepted now. */
  good: boolean;
  readonly afterRetries: 'cancel' | 'unpaid' | 'leave';
}

/** Everything that the simulated Stripe knows. Time is simulated; nothing here reads a clock. */
export class StripeState {
  readonly agenda: Agenda;
  readonly log: EventLog;
  readonly customers = new Map<string, Customer>();
  readonly wallets = new Map<string, Wallet>();
  readonly subscriptions = new Map<string, Subscription>();
  /** Ids of each customer's subscriptions. */
  readonly subscribed = new Map<string, string[]>();
  /** Invoices of each subscription, oldest first. */
  readonly invoices = new Map<string, Invoice[]>();
  readonly sessions = new Map<string, Session>();
  readonly intents = new Map<string, PaymentIntent>();
  readonly charges = new Map<string, Charge>();
  readonly refunds = new Map<string, Refund>();
  readonly disputes = new Map<string, Dispute>();
  readonly warnings = new Map<string, EarlyFraudWarning>();
  readonly accounts = new Map<string, Account>();
  /** The payment of each paid invoice, by the invoice. */
  readonly invoicePayments = new Map<string, InvoicePayment>();
  /** Price that a subscription's schedule puts it on with the next period. */
  readonly schedules = new Map<string, Price>();
  /** Lines of changes that are billed with the next period, by the subscription. */
  readonly pendingLines = new Map<string, Line[]>();
  /** First declined attempt of an invoice, in seconds since 1970. */
  readonly firstFailures = new Map<string, number>();

  /** @param start seconds since 1970 */
  constructor(
    start: number,
    readonly random: Random,
  ) {
    this.agenda = new Agenda(start);
    this.log = new EventLog(this.agenda, random);
  }

  /** Seconds since 1970. */
  get now(): number {
    return this.agenda.now;
  }

  /** The events that happened since the last call, in the order in which they did. */
  takeEvents(): SimulatedEvent[] {
    return this.log.take();
  }

  addSubscription(subscription: Subscription): void {
    this.subscriptions.set(subscription.id, subscription);
    this.subscribed.set(subscription.customer, [
      ...(this.subscribed.get(subscription.customer) ?? []),
      subscription.id,
    ]);
  }

  subscriptionsOf(customer: string): Subscription[] {
    return (this.subscribed.get(customer) ?? []).map((id) => this.subscriptions.get(id)!);
  }

  invoicesOf(subscription: Subscription): readonly Invoice[] {
    return this.invoices.get(subscription.id) ?? [];
  }

  subscriptionOf(invoice: Invoice): Subscription {
    return this.subscriptions.get(invoice.parent.subscription_details.subscription)!;
  }

  walletOf(customer: string): Wallet {
    return this.wallets.get(customer)!;
  }
}
