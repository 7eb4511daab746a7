import fc from 'fast-check';
import { applyEvents } from '../../../../core/billing/apply-events';
import { gatherEntitlementUpdates } from '../../../../core/entitlements/recompute';
import { queuedTilled } from '../../../../core/providers/tilled/queued';
import { tilledProvider } from '../../../../core/providers/tilled/provider';
import type { TilledEvent } from '../../../../core/providers/tilled/shapes';
import { revenueFigures } from '../../../../core/entitlements/figures';
import { stripeEvent, subscription } from '../../../factories/stripe-objects';
import {
  tilledAt,
  tilledCharge,
  tilledEvent,
  tilledIntent,
  tilledRefund,
  tilledSubscription,
} from '../../../factories/tilled-objects';
import { useBillingDatabase } from '../../../support/billing';
import { putRules } from '../../../support/entitlements';

const { apply: applyStripe, client, rows } = useBillingDatabase();

async function apply(...events: TilledEvent[]) {
  const { afterStore } = gatherEntitlementUpdates();
  const received = events.map((event) => ({ event, source: 'webhook' as const, receivedAt: new Date() }));
  return applyEvents(client(), tilledProvider, received, { afterStore });
}

/** Everything that the events decide. */
const state = () =>
  rows(`SELECT (SELECT json_agg(t ORDER BY id) FROM billing.subscriptions t) AS subscriptions,
               (SELECT json_agg(t ORDER BY id) FROM billing.invoices t) AS invoices,
               (SELECT json_agg(t ORDER BY id) FROM billing.purchases t) AS purchases,
               (SELECT json_agg(t ORDER BY id) FROM billing.charges t) AS charges,
               (SELECT json_agg(t ORDER BY id) FROM billing.refunds t) AS refunds,
               (SELECT json_agg(json_build_array(entry, amount) ORDER BY entry) FROM billing.refund_ledger) AS ledger,
               (SELECT json_agg(json_build_array(user_id, feature, source_id, valid_until) ORDER BY feature)
                  FROM billing.entitlements) AS entitlements`);

const refunded = (ms: number, refunds: object[]) =>
  tilledCharge({ amount_refunded: 900 * refunds.length, refunds, updated_at: tilledAt(ms) });

/** A subscription that is paid and then canceled, and a course that is bought and refunded in part within one second. */
const STORY: readonly TilledEvent[] = [
  tilledEvent('subscription.created', tilledSubscription({ status: 'pending' })),
  tilledEvent('payment_intent.succeeded', tilledIntent({ id: 'pi_2', charges: [], subscription_id: 'sub_1' })),
  tilledEvent('subscription.updated', tilledSubscription({ updated_at: tilledAt(40) })),
  tilledEvent(
    'subscription.canceled',
    tilledSubscription({ status: 'canceled', canceled_at: tilledAt(9_000), updated_at: tilledAt(9_000) }),
  ),
  tilledEvent(
    'payment_intent.succeeded',
    tilledIntent({ metadata: { kind: 'course', item_id: 'c_1', user_id: 'user_1', project_id: 'project_1' } }),
  ),
  tilledEvent('charge.succeeded', tilledCharge()),
  tilledEvent('charge.refunded', refunded(300, [tilledRefund()])),
  tilledEvent('charge.refunded', refunded(700, [tilledRefund(), tilledRefund({ id: 're_2' })])),
];

test('events in any order, some of them twice, end in the same state', async () => {
  await apply(...STORY);
  const expected = await state();
  expect(expected[0]).toMatchObject({
    subscriptions: [{ id: 'tilled:sub_1', status: 'canceled', customer_id: 'tilled:cus_1' }],
    invoices: [{ id: 'tilled:pi_2', subscription_id: 'tilled:sub_1', status: 'paid' }],
    purchases: [{ id: 'tilled:pi_1', kind: 'course', payment_status: 'paid' }],
    charges: [{ id: 'tilled:ch_1', amount_refunded: 1_800 }],
    ledger: [
      ['tilled:re_1:refunded', 900],
      ['tilled:re_2:refunded', 900],
    ],
  });
  // A ledger that only grows, but for this test's next story.
  await client().query('ALTER TABLE billing.refund_ledger DISABLE TRIGGER USER');
  const orders = fc.shuffledSubarray([...STORY, ...STORY.slice(2, 5)], { minLength: STORY.length + 3 });
  await fc.assert(
    fc.asyncProperty(orders, fc.boolean(), async (order, together) => {
      await client().query(`TRUNCATE billing.webhook_events, billing.customers, billing.subscriptions, billing.invoices,
        billing.purchases, billing.charges, billing.refunds, billing.refund_ledger, billing.payment_intents,
        billing.entitlements CASCADE`);
      if (together) await apply(...order);
      else for (const event of order) await apply(event);
      expect(await state()).toEqual(expected);
    }),
    { numRuns: 10 },
  );
});

test('what was bought is granted, and counts as revenue of its project', async () => {
  await putRules(client(), [
    { id: 'pro', grants: { source: 'subscription', priceId: 'tilled:2900:usd:1month' }, features: ['pro'] },
    { id: 'courses', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
  ]);
  const [, , active, canceled, bought, , once] = STORY;
  await apply(active!, bought!, once!);
  expect(
    (await rows('SELECT feature FROM billing.entitlements ORDER BY feature')).map(({ feature }) => feature as string),
  ).toEqual(['course:c_1', 'pro']);
  const range = { from: new Date(0), to: new Date('2100-01-01') };
  expect(await revenueFigures(client(), 'project_1', range)).toEqual([
    { currency: 'usd', gross: 2_900, refunded: 900, net: 2_000, charges: 1 },
  ]);
  await apply(canceled!);
  expect(
    (await rows(`SELECT valid_until FROM billing.entitlements WHERE feature = 'pro'`))[0]?.valid_until,
  ).not.toEqual(new Date('2026-12-21T12:00:00Z'));
});

test('an object of Stripe with the same id, customer and event id is another object', async () => {
  await applyStripe(
    stripeEvent('customer.subscription.updated', subscription({ id: 'sub_1', customer: 'cus_1' }), { id: 'evt_1' }),
  );
  const [outcome] = (await apply(tilledEvent('subscription.updated', tilledSubscription(), { id: 'evt_1' }))).values();
  expect(outcome).toEqual({ status: 'processed' });
  expect(await rows('SELECT id, customer_id FROM billing.subscriptions ORDER BY id')).toEqual([
    { id: 'sub_1', customer_id: 'cus_1' },
    { id: 'tilled:sub_1', customer_id: 'tilled:cus_1' },
  ]);
  expect(await rows('SELECT provider, id FROM billing.webhook_events ORDER BY provider')).toEqual([
    { provider: 'stripe', id: 'evt_1' },
    { provider: 'tilled', id: 'evt_1' },
  ]);
});

test('cards, addresses and client secrets are not stored', async () => {
  await apply(STORY[4]!);
  const [stored] = await rows(
    'SELECT payload::text || (SELECT raw::text FROM billing.payment_intents) AS text FROM billing.webhook_events',
  );
  expect(stored.text).toContain('4242');
  expect(stored.text).not.toMatch(/secret|High Street|Example/);
});

test.each<[bad: string, type: string, data: object, error: string]>([
  [
    'a negative amount',
    'payment_intent.succeeded',
    tilledIntent({ amount: -1 }),
    "payment_intent.amount: expected an integer of zero or more in the currency's smallest unit",
  ],
  [
    'a fractional amount',
    'payment_intent.succeeded',
    tilledIntent({ amount: 29.5 }),
    "payment_intent.amount: expected an integer of zero or more in the currency's smallest unit",
  ],
  [
    'an unknown currency',
    'subscription.updated',
    tilledSubscription({ currency: 'zzz' }),
    'subscription.currency: expected an ISO 4217 currency',
  ],
  [
    'a missing customer',
    'subscription.updated',
    tilledSubscription({ customer_id: undefined }),
    'subscription.customer_id: expected an id of at most 248 letters, digits and underscores',
  ],
  [
    'more refunded than captured',
    'charge.refunded',
    tilledCharge({ refunds: [tilledRefund({ amount: 3_000 })] }),
    'charge.amount_refunded: 3000 is more than the 2900 that were captured',
  ],
])('an event with %s fails with one line, and stores no object', async (_bad, type, data, error) => {
  const [outcome] = (await apply(tilledEvent(type, data as never))).values();
  expect(outcome).toEqual({ status: 'failed', error, attempts: 1 });
  for (const table of ['payment_intents', 'subscriptions', 'charges', 'refunds', 'customers']) {
    expect(await rows(`SELECT id FROM billing.${table}`)).toEqual([]);
  }
});

test('an event of an unknown type is recorded, and an envelope without a time is refused', async () => {
  const [outcome] = (
    await apply(tilledEvent('report_run.succeeded', { id: 'rr_1', created_at: tilledAt(0) }))
  ).values();
  expect(outcome).toEqual({ status: 'ignored' });
  expect(() => queuedTilled.readEvent(tilledEvent('charge.succeeded', { id: 'ch_1' }))).toThrow(
    'event.data.updated_at: expected an ISO 8601 time',
  );
});
