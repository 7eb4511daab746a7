import type { Client } from 'pg';
import { applyEvents } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { delivered } from '../support/billing';
import {
  account,
  charge,
  checkoutSession,
  customer,
  EPOCH,
  invoice,
  paymentIntent,
  refund,
  stripeEvent,
  subscription,
  subscriptionItem,
} from './stripe-objects';

/** Marks the ids of one copy of the story; of fixed width, so that no marker is part of another. */
function marker(copy: number): string {
  return `_t${String(copy).padStart(6, '0')}`;
}

/**
 * Events with same-second ties, changing items, a deletion, late updates, refunds of which one fails, objects that arrive
 * before their owners, an unknown type and an event that cannot be applied.
 *
 * @param copy number of the story; each has objects of its own
 */
export function story(copy: number): StripeEvent[] {
  const mark = marker(copy);
  const id = (name: string) => `${name}${mark}`;
  let count = 0;
  const event = (second: number, type: string, object: Record<string, unknown>) =>
    stripeEvent(type, object, {
      id: id(`evt_${String((count += 1)).padStart(2, '0')}`),
      created: EPOCH + second,
    });

  const owned = { customer: id('cus_1') };
  const items = (...names: string[]) => ({ data: names.map((name) => subscriptionItem({ id: id(name) })) });
  const first = (status: string, ...names: string[]) =>
    subscription({ ...owned, id: id('sub_1'), status, items: items(...names) });
  const second = (fields: object) =>
    subscription({ id: id('sub_2'), customer: id('cus_2'), items: items('si_z'), ...fields });
  const bill = (fields: object) =>
    invoice({
      ...owned,
      id: id('in_1'),
      parent: { subscription_details: { subscription: id('sub_1') } },
      payments: { data: [{ is_default: true, payment: { payment_intent: id('pi_1') } }] },
      ...fields,
    });
  const paid = { status: 'paid', amount_paid: 2_900, amount_remaining: 0 };
  const session = (fields: object) =>
    checkoutSession({ ...owned, id: id('cs_1'), payment_intent: id('pi_1'), ...fields });
  const intent = (fields: object) => paymentIntent({ ...owned, id: id('pi_1'), latest_charge: id('ch_1'), ...fields });
  const charged = (amount_refunded: number) =>
    charge({ ...owned, id: id('ch_1'), payment_intent: id('pi_1'), amount_refunded });
  const refunded = (name: string, amount: number, status: string) =>
    refund({ id: id(name), charge: id('ch_1'), payment_intent: id('pi_1'), amount, status });
  const coach = (fields: object) => account({ id: id('acct_1'), ...fields });

  return [
    event(0, 'customer.created', customer({ id: id('cus_1') })),
    event(0, 'customer.subscription.created', first('incomplete', 'si_a')),
    event(0, 'customer.subscription.updated', first('active', 'si_a')),
    event(7, 'customer.subscription.updated', first('active', 'si_a', 'si_b')),
    event(7, 'customer.subscription.updated', first('active', 'si_b')),
    event(9, 'customer.subscription.deleted', first('canceled', 'si_b')),
    event(12, 'customer.subscription.updated', first('past_due', 'si_a')),
    event(9, 'customer.subscription.created', second({ status: 'trialing' })),
    event(11, 'customer.subscription.updated', second({ status: 'past_due' })),
    event(13, 'customer.subscription.updated', second({ status: 'active' })),
    event(1, 'invoice.created', bill({ status: 'draft' })),
    event(1, 'invoice.finalized', bill({ status: 'open' })),
    event(2, 'invoice.paid', bill(paid)),
    event(2, 'invoice.payment_succeeded', bill(paid)),
    event(4, 'invoice.deleted', bill({ id: id('in_2'), status: 'draft' })),
    event(3, 'invoice.created', bill({ id: id('in_2'), status: 'draft' })),
    event(3, 'checkout.session.completed', session({ payment_status: 'unpaid' })),
    event(3, 'checkout.session.async_payment_succeeded', session({})),
    event(3, 'payment_intent.payment_failed', intent({ status: 'requires_payment_method', amount_received: 0 })),
    event(3, 'payment_intent.succeeded', intent({})),
    event(3, 'charge.succeeded', charged(0)),
    event(4, 'refund.created', refunded('re_1', 3_000, 'pending')),
    event(4, 'charge.refunded', charged(3_000)),
    event(4, 'refund.created', refunded('re_2', 2_000, 'succeeded')),
    event(4, 'charge.refunded', charged(5_000)),
    event(5, 'refund.updated', refunded('re_1', 3_000, 'succeeded')),
    event(8, 'refund.failed', refunded('re_1', 3_000, 'failed')),
    event(8, 'charge.updated', charged(2_000)),
    event(6, 'account.updated', coach({ payouts_enabled: false })),
    event(6, 'account.updated', coach({})),
    event(10, 'customer.updated', customer({ id: id('cus_1'), email: 'new@example.com' })),
    event(4, 'tax.settings.updated', { object: 'tax.settings' }),
    event(5, 'invoice.finalized', bill({ id: id('in_bad'), total: 'much' })),
  ];
}

/** Pseudo-random numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The items in a random order, with the given number of duplicates. */
export function shuffled<T>(items: readonly T[], random: () => number, duplicates = 0): T[] {
  const pick = (length: number) => Math.floor(random() * length);
  const order = [...items];
  for (let index = order.length - 1; index > 0; index -= 1) {
    const other = pick(index + 1);
    [order[index], order[other]] = [order[other] as T, order[index] as T];
  }
  for (let count = 0; count < duplicates; count += 1) {
    order.splice(pick(order.length + 1), 0, items[pick(items.length)] as T);
  }
  return order;
}

/**
 * Applies a story for each number, each in an order of its own and with duplicates. The stories progress together: a batch
 * has the next one to four events of each.
 */
export async function applyStories(client: Client, copies: readonly number[], random: () => number): Promise<void> {
  let waiting = copies.map((copy) => shuffled(story(copy), random, Math.floor(random() * 8)));
  while (waiting.length > 0) {
    const batch = waiting.flatMap((events) => events.splice(0, 1 + Math.floor(random() * 4)));
    await applyEvents(client, stripeProvider, delivered(batch));
    waiting = waiting.filter((events) => events.length > 0);
  }
}

const TABLES = [
  'customers',
  'subscriptions',
  'subscription_items',
  'invoices',
  'purchases',
  'payment_intents',
  'charges',
  'refunds',
  'connect_accounts',
];
const STATE = TABLES.map((table) => `SELECT t.id, '${table} ' || to_jsonb(t)::text AS fact FROM billing.${table} AS t`)
  .concat(
    `SELECT id, 'event ' || jsonb_build_array(id, status, error)::text FROM billing.webhook_events`,
    `SELECT entry, 'ledger ' || (to_jsonb(t) - 'recorded_at')::text FROM billing.refund_ledger AS t`,
    `SELECT charge_id, 'moved ' || jsonb_build_array(charge_id, refund_id, kind, amount, currency)::text
       FROM billing.refund_entries`,
    `SELECT charge_id, 'balance ' || to_jsonb(t)::text FROM billing.refund_balances AS t`,
  )
  .join(' UNION ALL ');

/** The distinct final states of stories, without their markers, and the number of stories in each. */
export async function finalStates(client: Client): Promise<{ stories: number; facts: string[] }[]> {
  const { rows } = await client.query<{ stories: number; facts: string[] }>(`
    SELECT count(*)::int AS stories, facts FROM (
      SELECT array_agg(replace(fact, mark, '') ORDER BY replace(fact, mark, '') COLLATE "C") AS facts
      FROM (SELECT fact, substring(id FROM '_t[0-9]{6}') AS mark FROM (${STATE}) AS facts) AS marked
      GROUP BY mark
    ) AS ended
    GROUP BY facts`);
  return rows;
}
