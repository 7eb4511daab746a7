import { bill, cancel, closeDraft, finalize, prorate, regularLines, renewalLines } from './billing';
import type { Item, Metadata, PauseBehavior, Price, Subscription } from './objects';
import { DAY, HOUR, type StripeState } from './state';

const PERIOD_DAYS = { month: 30, year: 365 } as const;
const UPDATED = 'customer.subscription.updated';

export interface Signup {
  readonly customer: string;
  readonly testClock: string | null;
  readonly price: Price;
  readonly collectionMethod: Subscription['collection_method'];
  readonly metadata: Metadata;
  /** @default no trial */
  readonly trialDays?: number;
  /** Through Checkout: the session's metadata and reference. @default made by the API */
  readonly checkout?: { readonly metadata: Metadata; readonly clientReferenceId: string | null };
}

/** Starts a subscription: a trial, one that is invoiced, or one whose first payment is collected at once. */
export function subscribe(stripe: StripeState, signup: Signup): Subscription {
  const { now, log } = stripe;
  const trialEnd = signup.trialDays === undefined ? null : now + signup.trialDays * DAY;
  const invoiced = signup.collectionMethod === 'send_invoice';
  const subscription: Subscription = {
    id: log.id('sub'),
    object: 'subscription',
    customer: signup.customer,
    status: trialEnd !== null ? 'trialing' : invoiced ? 'active' : 'incomplete',
    currency: 'usd',
    cancel_at_period_end: false,
    cancel_at: null,
    canceled_at: null,
    ended_at: null,
    trial_end: trialEnd,
    created: now,
    collection_method: signup.collectionMethod,
    days_until_due: invoiced ? 30 : null,
    metadata: signup.metadata,
    pause_collection: null,
    test_clock: signup.testClock,
    items: { object: 'list', has_more: false, data: [newItem(stripe, signup.price, trialEnd ?? undefined)] },
  };
  stripe.addSubscription(subscription);
  log.emit('customer.subscription.created', subscription);
  if (signup.checkout) completeCheckout(stripe, subscription, signup.checkout);
  finalize(stripe, bill(stripe, subscription, 'subscription_create', regularLines(stripe, subscription)));
  if (trialEnd !== null) stripe.agenda.schedule(trialEnd - 3 * DAY, () => remindOfTrialEnd(stripe, subscription));
  scheduleRenewal(stripe, subscription);
  return subscription;
}

function completeCheckout(
  stripe: StripeState,
  subscription: Subscription,
  { metadata, clientReferenceId }: NonNullable<Signup['checkout']>,
): void {
  stripe.sessions.set(subscription.id, {
    id: stripe.log.id('cs'),
    object: 'checkout.session',
    customer: subscription.customer,
    mode: 'subscription',
    status: 'complete',
    payment_status: 'paid',
    payment_intent: null,
    subscription: subscription.id,
    client_reference_id: clientReferenceId,
    amount_total: 0,
    currency: 'usd',
    created: stripe.now,
    metadata,
  });
  stripe.log.emit('checkout.session.completed', stripe.sessions.get(subscription.id)!);
}

/** Puts the subscription's first item on another price and bills the difference at once. */
export function changePrice(stripe: StripeState, subscription: Subscription, price: Price): void {
  replaceFirstItem(stripe, subscription, { price });
}

export function changeQuantity(stripe: StripeState, subscription: Subscription, quantity: number): void {
  replaceFirstItem(stripe, subscription, { quantity });
}

function replaceFirstItem(stripe: StripeState, subscription: Subscription, changes: Partial<Item>): void {
  const [first, ...others] = subscription.items.data as [Item, ...Item[]];
  const changed = { ...first, ...changes };
  setItems(stripe, subscription, [changed, ...others]);
  prorate(stripe, subscription, [first], [changed]);
}

/** Removes the first item and adds another at a price in its place, in one update, and bills the difference at once. */
export function swapFirstItem(stripe: StripeState, subscription: Subscription, price: Price): void {
  const [first, ...others] = subscription.items.data as [Item, ...Item[]];
  const added = {
    ...newItem(stripe, price, first.current_period_end, first.current_period_start),
    quantity: first.quantity,
  };
  setItems(stripe, subscription, [added, ...others]);
  prorate(stripe, subscription, [first], [added]);
}

/** Puts the first item on another price and removes the last, in one update, and bills the difference. */
export function changeAndRemove(stripe: StripeState, subscription: Subscription, price: Price): void {
  const [first, ...others] = subscription.items.data as [Item, ...Item[]];
  const removed = others.at(-1);
  if (removed === undefined) return;
  const changed = { ...first, price };
  setItems(stripe, subscription, [changed, ...others.slice(0, -1)]);
  prorate(stripe, subscription, [first, removed], [changed]);
}

/** A schedule puts the first item on another price with the next period; nothing is prorated. */
export function schedulePrice(stripe: StripeState, subscription: Subscription, price: Price): void {
  stripe.schedules.set(subscription.id, price);
  stripe.log.emit('subscription_schedule.created', {
    id: stripe.log.id('sub_sched'),
    object: 'subscription_schedule',
    customer: subscription.customer,
    subscription: subscription.id,
    status: 'active',
  });
}

/** A new phase of a schedule replaces the item. */
function itemsOfPhase(stripe: StripeState, subscription: Subscription): readonly Item[] {
  const price = stripe.schedules.get(subscription.id);
  const [first, ...others] = subscription.items.data as [Item, ...Item[]];
  if (price === undefined) return subscription.items.data;
  stripe.schedules.delete(subscription.id);
  return [{ ...newItem(stripe, price), quantity: first.quantity }, ...others];
}

/** Adds an item that ends with the others' period, billed at once. */
export function addItem(stripe: StripeState, subscription: Subscription, price: Price): void {
  const [first] = subscription.items.data as [Item];
  const item = newItem(stripe, price, first.current_period_end, first.current_period_start);
  setItems(stripe, subscription, [...subscription.items.data, item]);
  prorate(stripe, subscription, [], [item]);
}

/** Adds many items at once, more than an event carries. */
export function addItems(stripe: StripeState, subscription: Subscription, prices: readonly Price[]): void {
  const [first] = subscription.items.data as [Item];
  const items = prices.map((price) => newItem(stripe, price, first.current_period_end, first.current_period_start));
  setItems(stripe, subscription, [...subscription.items.data, ...items]);
  prorate(stripe, subscription, [], items);
}

/** Removes the last item, without giving anything back. */
export function removeItem(stripe: StripeState, subscription: Subscription): void {
  setItems(stripe, subscription, subscription.items.data.slice(0, -1));
}

function setItems(stripe: StripeState, subscription: Subscription, data: Item[]): void {
  stripe.log.change(UPDATED, subscription, { items: { ...subscription.items, data } });
}

export function cancelAtPeriodEnd(stripe: StripeState, subscription: Subscription, wanted: boolean): void {
  stripe.log.change(UPDATED, subscription, {
    cancel_at_period_end: wanted,
    canceled_at: wanted ? stripe.now : null,
  });
}

export function pause(stripe: StripeState, subscription: Subscription, behavior: PauseBehavior): void {
  stripe.log.change(UPDATED, subscription, { pause_collection: { behavior, resumes_at: null } });
}

export function resume(stripe: StripeState, subscription: Subscription): void {
  if (subscription.pause_collection) stripe.log.change(UPDATED, subscription, { pause_collection: null });
}

export function renameMetadata(stripe: StripeState, subscription: Subscription, note: string): void {
  stripe.log.change(UPDATED, subscription, { metadata: { ...subscription.metadata, note } });
}

function newItem(
  stripe: StripeState,
  price: Price,
  periodEnd = periodEndOf(price, stripe.now),
  periodStart = stripe.now,
): Item {
  return {
    id: stripe.log.id('si'),
    object: 'subscription_item',
    quantity: 1,
    price,
    current_period_start: periodStart,
    current_period_end: periodEnd,
  };
}

function periodEndOf(price: Price, start: number): number {
  return start + PERIOD_DAYS[price.recurring.interval] * DAY;
}

function scheduleRenewal(stripe: StripeState, subscription: Subscription): void {
  const end = Math.min(...subscription.items.data.map((item) => item.current_period_end));
  stripe.agenda.schedule(end, () => renew(stripe, subscription));
}

function renew(stripe: StripeState, subscription: Subscription): void {
  const { now } = stripe;
  if (['canceled', 'incomplete', 'incomplete_expired'].includes(subscription.status)) return;
  if (subscription.cancel_at_period_end) {
    cancel(stripe, subscription);
    return;
  }
  const data = itemsOfPhase(stripe, subscription).map((item) => ({
    ...item,
    current_period_start: now,
    current_period_end: periodEndOf(item.price, now),
  }));
  const status = subscription.status === 'trialing' ? 'active' : subscription.status;
  stripe.log.change(UPDATED, subscription, { items: { ...subscription.items, data }, status });
  const invoice = bill(stripe, subscription, 'subscription_cycle', renewalLines(stripe, subscription));
  stripe.agenda.schedule(now + HOUR, () => closeDraft(stripe, invoice));
  scheduleRenewal(stripe, subscription);
}

function remindOfTrialEnd(stripe: StripeState, subscription: Subscription): void {
  if (subscription.status === 'trialing') stripe.log.emit('customer.subscription.trial_will_end', subscription);
}
