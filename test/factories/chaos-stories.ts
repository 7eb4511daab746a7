import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { readEvent } from '../../core/providers/stripe/shapes';
import type { Random } from '../simulation/random';
import type { StripeState } from '../../local/stripe/state';
import { tilledEventOf } from '../../local/tilled/objects';
import type { SentEvent } from '../../local/tilled/stand-in';
import { tilledCharge, tilledIntent, tilledRefund, tilledSubscription } from './tilled-objects';

const CHANGES = ['subscribe', 'update', 'cancel', 'pay', 'fail', 'buy', 'buy', 'refund'] as const;

/** Makes one random change at Stripe. @returns nothing when there is no object to change */
function change(state: StripeState, random: Random, atSeconds: number): { event: object } | undefined {
  const active = state.subscriptions.newestFirst().filter(({ status }) => status !== 'canceled');
  const refundable = state.charges.newestFirst().filter(({ amount, amount_refunded: done }) => done + 100 <= amount);
  const owner = { user_id: `stripe-${random.integer(0, 7)}`, project_id: 'project-1', app_id: 'academy' };
  const kind = random.pick(CHANGES);
  if (kind === 'subscribe') return state.createSubscription({ created: atSeconds, metadata: owner });
  if (kind === 'buy') {
    const metadata = { ...owner, kind: 'course', item_id: `c${random.integer(0, 3)}` };
    return state.completeCheckout({ created: atSeconds, metadata });
  }
  if (kind === 'refund') {
    const charge = refundable.length === 0 ? undefined : random.pick(refundable);
    return charge && state.refundCharge(charge.id, 100, { atSeconds });
  }
  if (active.length === 0) return undefined;
  const { id } = random.pick(active);
  if (kind === 'cancel') return state.cancelSubscription(id, { atSeconds });
  if (kind === 'pay') return state.payInvoice(id, { created: atSeconds });
  if (kind === 'fail') return state.failInvoice(id, { created: atSeconds });
  return state.updateSubscription(id, { status: random.pick(['past_due', 'active']) }, { atSeconds });
}

/** Random changes at Stripe, the last a minute ago, some within one second. @returns their events, the oldest first */
export function stripeStory(state: StripeState, changes: number, random: Random): StripeEvent[] {
  let atSeconds = Math.floor(Date.now() / 1000) - 60 - changes;
  const events: StripeEvent[] = [];
  for (let made = 0; made < changes; made += 1) {
    atSeconds += random.chance(0.4) ? 0 : 1;
    const changed = change(state, random, atSeconds);
    if (changed !== undefined) events.push(readEvent(changed.event));
  }
  return events;
}

/**
 * Customers of Tilled: each has a subscription that is updated and sometimes canceled, and buys a course that is sometimes
 * refunded in part, several of these within one second.
 *
 * @returns the events, the oldest first
 */
export function tilledStory(account: string, customers: number, random: Random): SentEvent[] {
  const start = Date.now() - 600_000;
  return Array.from({ length: customers }, (_, number) => ofCustomer(account, number, start + number * 1_000, random))
    .flat()
    .toSorted((one, other) => Date.parse(one.created_at) - Date.parse(other.created_at));
}

function ofCustomer(account: string, number: number, start: number, random: Random): SentEvent[] {
  const id = (prefix: string): string => `${prefix}_chaos${number}`;
  const metadata = { user_id: `tilled-${number}`, project_id: 'project-1' };
  const times = (ms: number) => ({ created_at: iso(start), updated_at: iso(start + ms) });
  const event = (type: string, ms: number, data: Readonly<Record<string, unknown>>): SentEvent =>
    tilledEventOf(type, account, start + ms, data);
  const subscription = (ms: number, status: string) =>
    tilledSubscription({ id: id('sub'), account_id: account, customer_id: id('cus'), status, metadata, ...times(ms) });
  const charge = (ms: number, refunds: readonly object[] = []) =>
    tilledCharge({
      id: id('ch'),
      payment_intent_id: id('pi'),
      amount_refunded: 900 * refunds.length,
      refunds,
      ...times(ms),
    });
  const refund = (name: string, ms: number) =>
    tilledRefund({ id: id(name), charge_id: id('ch'), payment_intent_id: id('pi'), ...times(ms) });
  const course = { ...metadata, kind: 'course', item_id: `t${number % 3}` };
  const bought = tilledIntent({
    id: id('pi'),
    account_id: account,
    customer: { id: id('cus') },
    charges: [charge(200)],
    metadata: course,
    ...times(200),
  });
  const events = [
    event('subscription.created', 0, subscription(0, 'pending')),
    event('subscription.updated', 40, subscription(40, 'active')),
    event('payment_intent.succeeded', 200, bought),
    event('charge.succeeded', 200, charge(200)),
  ];
  if (random.chance(0.5)) events.push(event('charge.refunded', 500, charge(500, [refund('re', 500)])));
  if (random.chance(0.5)) {
    const canceled = { ...subscription(900, 'canceled'), canceled_at: iso(start + 900) };
    events.push(event('subscription.canceled', 900, canceled));
  }
  return events;
}

const iso = (ms: number): string => new Date(ms).toISOString();
