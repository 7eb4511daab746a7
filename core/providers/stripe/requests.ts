import type Stripe from 'stripe';
import { chunksOf, type Lane, type ListPage } from './pages';

/**
 * Every request that the platform makes to Stripe, in one place. A test sends each to Stripe's own mock, which rejects the
 * parameters that Stripe would reject.
 */

/** Most types that one `events.list` accepts; wildcards are not accepted. */
const MAX_TYPES_PER_REQUEST = 20;

/** Stripe lists events for 30 days only, in the shape of the API version at their creation. */
export const EVENT_RETENTION_DAYS = 30;

/** Lanes that list the events of the given types and times; one for each 20 types. */
export function eventLanes(types: readonly string[], created: Lane['created']): Lane[] {
  return chunksOf(types, MAX_TYPES_PER_REQUEST).map((chunk) => ({ created, types: chunk }));
}

export function listEvents(stripe: Stripe): ListPage<Stripe.Event> {
  return ({ created, types }, page) =>
    stripe.events.list({ ...page, created, ...(types === undefined ? {} : { types: [...types] }) });
}

/** Without `status: all` Stripe leaves out canceled subscriptions. */
export function listSubscriptions(stripe: Stripe): ListPage<Stripe.Subscription> {
  return ({ created, testClock }, page) =>
    stripe.subscriptions.list({
      ...page,
      created,
      status: 'all',
      ...(testClock === undefined ? {} : { test_clock: testClock }),
    });
}

export function listCustomers(stripe: Stripe): ListPage<Stripe.Customer> {
  return ({ created }, page) => stripe.customers.list({ ...page, created });
}

export function listInvoices(stripe: Stripe): ListPage<Stripe.Invoice & { id: string }> {
  return ({ created }, page) => stripe.invoices.list({ ...page, created });
}

/** Those that paid: no event tells of the others. */
export function listInvoicePayments(stripe: Stripe): ListPage<Stripe.InvoicePayment> {
  return ({ created }, page) => stripe.invoicePayments.list({ ...page, created, status: 'paid' });
}

export function listPaymentIntents(stripe: Stripe): ListPage<Stripe.PaymentIntent> {
  return ({ created }, page) => stripe.paymentIntents.list({ ...page, created });
}

export function listDisputes(stripe: Stripe): ListPage<Stripe.Dispute> {
  return ({ created }, page) => stripe.disputes.list({ ...page, created });
}

export function listEarlyFraudWarnings(stripe: Stripe): ListPage<Stripe.Radar.EarlyFraudWarning> {
  return ({ created }, page) => stripe.radar.earlyFraudWarnings.list({ ...page, created });
}

/** Connected accounts. */
export function listAccounts(stripe: Stripe): ListPage<Stripe.Account> {
  return ({ created }, page) => stripe.accounts.list({ ...page, created });
}

/** Items of one subscription; a list of subscriptions carries only the first of each. */
export function listSubscriptionItems(stripe: Stripe, subscription: string): ListPage<Stripe.SubscriptionItem> {
  return (_lane, page) => stripe.subscriptionItems.list({ ...page, subscription });
}

/** Lines of one invoice; the invoice itself carries only the first of them. */
export function listInvoiceLines(stripe: Stripe, invoice: string): ListPage<Stripe.InvoiceLineItem> {
  return (_lane, page) => stripe.invoices.listLineItems(invoice, page);
}

export function listCheckoutSessions(stripe: Stripe): ListPage<Stripe.Checkout.Session> {
  return ({ created }, page) => stripe.checkout.sessions.list({ ...page, created });
}

export function listCharges(stripe: Stripe): ListPage<Stripe.Charge> {
  return ({ created }, page) => stripe.charges.list({ ...page, created });
}

/** Each with its charge: today's refund may be of an old charge, which a list of recent charges leaves out. */
export function listRefunds(stripe: Stripe): ListPage<Stripe.Refund> {
  return ({ created }, page) => stripe.refunds.list({ ...page, created, expand: ['data.charge'] });
}

/** Endpoints that events are delivered to. */
export function listWebhookEndpoints(stripe: Stripe): ListPage<Stripe.WebhookEndpoint> {
  return (_lane, page) => stripe.webhookEndpoints.list(page);
}

export function retrieveEvent(stripe: Stripe, id: string): Promise<Stripe.Response<Stripe.Event>> {
  return stripe.events.retrieve(id);
}

/** Requests an object by its id, and a payout also by the connected account that has it, by kind. */
export const RETRIEVE = {
  subscription: (stripe, id) => stripe.subscriptions.retrieve(id),
  // Without it, an invoice does not name the payment that a dispute may be of.
  invoice: (stripe, id) => stripe.invoices.retrieve(id, { expand: ['payments'] }),
  purchase: (stripe, id) => stripe.checkout.sessions.retrieve(id),
  payment_intent: (stripe, id) => stripe.paymentIntents.retrieve(id),
  charge: (stripe, id) => stripe.charges.retrieve(id),
  refund: (stripe, id) => stripe.refunds.retrieve(id),
  customer: (stripe, id) => stripe.customers.retrieve(id),
  account: (stripe, id) => stripe.accounts.retrieve(id),
  dispute: (stripe, id) => stripe.disputes.retrieve(id),
  early_fraud_warning: (stripe, id) => stripe.radar.earlyFraudWarnings.retrieve(id),
  invoice_payment: (stripe, id) => stripe.invoicePayments.retrieve(id),
  payout: (stripe, id, account) => stripe.payouts.retrieve(id, {}, ofAccount(account)),
} as const satisfies Readonly<
  Record<string, (stripe: Stripe, id: string, account: string | null) => Promise<Stripe.Response<object>>>
>;

/** Options of a request about an object of a connected account; null for the platform's own. */
function ofAccount(account: string | null): Stripe.RequestOptions {
  return account === null ? {} : { stripeAccount: account };
}

/** Kinds of objects that can be read from Stripe by their id. */
export type SnapshotKind = keyof typeof RETRIEVE;

/** What decides about access by one subscription or purchase, each as a list. */
export const EVIDENCE = {
  invoicesOfSubscription: (stripe, subscription) => (_lane, page) =>
    stripe.invoices.list({ ...page, subscription, expand: ['data.payments'] }),
  sessionsOfSubscription: (stripe, subscription) => (_lane, page) =>
    stripe.checkout.sessions.list({ ...page, subscription }),
  chargesOfCustomer: (stripe, customer) => (_lane, page) => stripe.charges.list({ ...page, customer }),
  disputesOfCharge: (stripe, charge) => (_lane, page) => stripe.disputes.list({ ...page, charge }),
  refundsOfCharge: (stripe, charge) => (_lane, page) => stripe.refunds.list({ ...page, charge }),
} as const satisfies Readonly<Record<string, (stripe: Stripe, id: string) => ListPage<{ id: string }>>>;

/** With its customer. */
export function retrieveOwnedSubscription(stripe: Stripe, id: string): Promise<Stripe.Response<Stripe.Subscription>> {
  return stripe.subscriptions.retrieve(id, { expand: ['customer'] });
}

/** With its customer, its payment intent and the charge of that. */
export function retrieveOwnedSession(stripe: Stripe, id: string): Promise<Stripe.Response<Stripe.Checkout.Session>> {
  return stripe.checkout.sessions.retrieve(id, { expand: ['customer', 'payment_intent.latest_charge'] });
}

/** Payouts of an account, with what each repeats. */
export function listPayouts(stripe: Stripe, account: string | null): ListPage<Stripe.Payout> {
  return ({ created }, page) => stripe.payouts.list({ ...page, created }, ofAccount(account));
}

/**
 * Pays an account the amount of a failed payout again.
 *
 * @param idempotencyKey Stripe answers a repeated request with what the first one came to
 */
export function createPayout(
  stripe: Stripe,
  account: string | null,
  payout: Pick<Stripe.PayoutCreateParams, 'amount' | 'currency' | 'method' | 'metadata'>,
  idempotencyKey: string,
): Promise<Stripe.Response<Stripe.Payout>> {
  return stripe.payouts.create(payout, { ...ofAccount(account), idempotencyKey });
}
