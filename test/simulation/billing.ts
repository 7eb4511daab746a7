import type { Invoice, InvoicePayment, Item, Line, Subscription } from './objects';
import { collect } from './payments';
import { DAY, HOUR, type StripeState } from './state';

/** Days between the attempts to collect a declined payment; after the last one, Stripe gives up. */
const RETRY_DAYS = [3, 5, 7];
const DAYS_UNTIL_DUE = 30;

/** The lines of a period, as a renewal bills them. */
export function regularLines(stripe: StripeState, subscription: Subscription): Line[] {
  return subscription.items.data.map((item) =>
    lineOf(stripe, subscription, item, {
      amount: subscription.status === 'trialing' ? 0 : item.price.unit_amount * item.quantity,
      period: { start: item.current_period_start, end: item.current_period_end },
      proration: false,
    }),
  );
}

/**
 * Bills the difference of a change: at once, as `proration_behavior: always_invoice` does, or with the next period, as Stripe
 * does by default.
 */
export function prorate(
  stripe: StripeState,
  subscription: Subscription,
  before: readonly Item[],
  after: readonly Item[],
): void {
  const lines = [
    ...before.map((item) => prorationLine(stripe, subscription, item, -1)),
    ...after.map((item) => prorationLine(stripe, subscription, item, 1)),
  ];
  if (stripe.random.chance(0.5)) finalize(stripe, bill(stripe, subscription, 'subscription_update', lines));
  else stripe.pendingLines.set(subscription.id, [...(stripe.pendingLines.get(subscription.id) ?? []), ...lines]);
}

/** The lines of a renewal: those of the new period, and what changes before it left to be billed. */
export function renewalLines(stripe: StripeState, subscription: Subscription): Line[] {
  const pending = stripe.pendingLines.get(subscription.id) ?? [];
  stripe.pendingLines.delete(subscription.id);
  return [...pending, ...regularLines(stripe, subscription)];
}

export function bill(
  stripe: StripeState,
  subscription: Subscription,
  reason: Invoice['billing_reason'],
  lines: readonly Line[],
): Invoice {
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const due = Math.max(0, total);
  const invoice: Invoice = {
    id: stripe.log.id('in'),
    object: 'invoice',
    customer: subscription.customer,
    status: 'draft',
    currency: 'usd',
    total,
    amount_due: due,
    amount_paid: 0,
    amount_remaining: due,
    attempt_count: 0,
    billing_reason: reason,
    collection_method: subscription.collection_method,
    due_date: null,
    created: stripe.now,
    period_start: stripe.now,
    period_end: stripe.now,
    lines: { object: 'list', has_more: false, data: lines },
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    parent: {
      type: 'subscription_details',
      subscription_details: { subscription: subscription.id, metadata: { ...subscription.metadata } },
    },
    metadata: {},
  };
  stripe.invoices.set(subscription.id, [...stripe.invoicesOf(subscription), invoice]);
  stripe.log.emit('invoice.created', invoice);
  return invoice;
}

export function finalize(stripe: StripeState, invoice: Invoice): void {
  const invoiced = invoice.collection_method === 'send_invoice' && invoice.amount_due > 0;
  const { now, random, agenda } = stripe;
  stripe.log.change('invoice.finalized', invoice, {
    status: 'open',
    due_date: invoiced ? now + DAYS_UNTIL_DUE * DAY : null,
    status_transitions: { ...invoice.status_transitions, finalized_at: now },
  });
  if (!invoiced) {
    attempt(stripe, invoice);
    return;
  }
  // The customer pays some day: before it is due, after, or never.
  agenda.schedule(now + random.integer(1, 50) * DAY, () => payWhatIsOwed(stripe, invoice));
  agenda.schedule(now + DAYS_UNTIL_DUE * DAY, () => passDueDate(stripe, invoice));
}

/** An hour after a renewal made it: the invoice of a paused or unpaid subscription is not collected. */
export function closeDraft(stripe: StripeState, invoice: Invoice): void {
  const subscription = stripe.subscriptionOf(invoice);
  if (subscription.status === 'canceled' || subscription.status === 'unpaid') return;
  const behavior = subscription.pause_collection?.behavior;
  if (behavior === undefined) finalize(stripe, invoice);
  if (behavior === 'void') voidInvoice(stripe, invoice);
  if (behavior === 'mark_uncollectible') {
    const { now } = stripe;
    stripe.log.change('invoice.marked_uncollectible', invoice, {
      status: 'uncollectible',
      status_transitions: { ...invoice.status_transitions, finalized_at: now, marked_uncollectible_at: now },
    });
  }
}

export function cancel(stripe: StripeState, subscription: Subscription): void {
  if (subscription.status === 'canceled') return;
  stripe.log.change('customer.subscription.deleted', subscription, {
    status: 'canceled',
    canceled_at: subscription.canceled_at ?? stripe.now,
    ended_at: stripe.now,
  });
}

function attempt(stripe: StripeState, invoice: Invoice): void {
  if (invoice.status !== 'open') return;
  if (stripe.walletOf(invoice.customer).good || invoice.amount_due === 0) pay(stripe, invoice);
  else decline(stripe, invoice);
}

function payWhatIsOwed(stripe: StripeState, invoice: Invoice): void {
  const ended = stripe.subscriptionOf(invoice).status === 'canceled';
  if (stripe.walletOf(invoice.customer).good && !ended && invoice.status === 'open') pay(stripe, invoice);
}

function passDueDate(stripe: StripeState, invoice: Invoice): void {
  if (invoice.status !== 'open') return;
  setStatus(stripe, stripe.subscriptionOf(invoice), ['active'], 'past_due');
  stripe.agenda.schedule(stripe.now + 30 * DAY, () => giveUp(stripe, invoice));
}

function pay(stripe: StripeState, invoice: Invoice): void {
  if (invoice.amount_due > 0) recordPayment(stripe, invoice);
  stripe.log.change('invoice.paid', invoice, {
    status: 'paid',
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    attempt_count: invoice.attempt_count + 1,
    status_transitions: { ...invoice.status_transitions, paid_at: stripe.now },
  });
  stripe.log.emit('invoice.payment_succeeded', invoice);
  const subscription = stripe.subscriptionOf(invoice);
  if (stripe.invoicesOf(subscription).some(({ status }) => status === 'open')) return;
  setStatus(stripe, subscription, ['incomplete', 'past_due', 'unpaid'], 'active');
}

function recordPayment(stripe: StripeState, invoice: Invoice): void {
  const intent = collect(stripe, invoice.customer, invoice.amount_due);
  const payment: InvoicePayment = {
    id: stripe.log.id('inpay'),
    object: 'invoice_payment',
    invoice: invoice.id,
    amount_paid: invoice.amount_due,
    currency: 'usd',
    created: stripe.now,
    is_default: true,
    status: 'paid',
    payment: { type: 'payment_intent', payment_intent: intent.id },
  };
  stripe.invoicePayments.set(invoice.id, payment);
  stripe.log.emit('invoice_payment.paid', payment);
}

function decline(stripe: StripeState, invoice: Invoice): void {
  const subscription = stripe.subscriptionOf(invoice);
  const { now, agenda, firstFailures } = stripe;
  if (!firstFailures.has(invoice.id)) firstFailures.set(invoice.id, now);
  stripe.log.change('invoice.payment_failed', invoice, { attempt_count: invoice.attempt_count + 1 });
  if (subscription.status === 'incomplete') {
    agenda.schedule(now + 23 * HOUR, () => expire(stripe, subscription));
    return;
  }
  setStatus(stripe, subscription, ['active'], 'past_due');
  const wait = RETRY_DAYS[invoice.attempt_count - 1];
  if (wait === undefined) giveUp(stripe, invoice);
  else agenda.schedule(now + wait * DAY, () => attempt(stripe, invoice));
}

function giveUp(stripe: StripeState, invoice: Invoice): void {
  const subscription = stripe.subscriptionOf(invoice);
  if (invoice.status !== 'open') return;
  const { afterRetries } = stripe.walletOf(invoice.customer);
  if (afterRetries === 'cancel') cancel(stripe, subscription);
  if (afterRetries === 'unpaid') setStatus(stripe, subscription, ['past_due'], 'unpaid');
}

function expire(stripe: StripeState, subscription: Subscription): void {
  if (subscription.status !== 'incomplete') return;
  for (const invoice of stripe.invoicesOf(subscription)) voidInvoice(stripe, invoice);
  stripe.log.change('customer.subscription.updated', subscription, {
    status: 'incomplete_expired',
    ended_at: stripe.now,
  });
}

function voidInvoice(stripe: StripeState, invoice: Invoice): void {
  stripe.log.change('invoice.voided', invoice, {
    status: 'void',
    status_transitions: { ...invoice.status_transitions, voided_at: stripe.now },
  });
}

function setStatus(
  stripe: StripeState,
  subscription: Subscription,
  from: readonly Subscription['status'][],
  status: Subscription['status'],
): void {
  if (from.includes(subscription.status)) {
    stripe.log.change('customer.subscription.updated', subscription, { status });
  }
}

function prorationLine(stripe: StripeState, subscription: Subscription, item: Item, sign: 1 | -1): Line {
  const share = (item.current_period_end - stripe.now) / (item.current_period_end - item.current_period_start);
  return lineOf(stripe, subscription, item, {
    amount: sign * Math.round(item.price.unit_amount * item.quantity * share),
    period: { start: stripe.now, end: item.current_period_end },
    proration: true,
  });
}

function lineOf(
  stripe: StripeState,
  subscription: Subscription,
  item: Item,
  { amount, period, proration }: Pick<Line, 'amount' | 'period'> & { readonly proration: boolean },
): Line {
  return {
    id: stripe.log.id('il'),
    object: 'line_item',
    amount,
    quantity: item.quantity,
    period,
    pricing: { type: 'price_details', price_details: { price: item.price.id, product: item.price.product } },
    parent: {
      type: 'subscription_item_details',
      subscription_item_details: { subscription: subscription.id, subscription_item: item.id, proration },
    },
  };
}
