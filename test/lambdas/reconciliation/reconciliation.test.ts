import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { ENDPOINT_EVENT_TYPES } from '../../../core/providers/stripe/event-effect';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { createStripe } from '../../../core/providers/stripe/client';
import { pacedCaller } from '../../../core/providers/stripe/paced-caller';
import { SETTLE_SECONDS } from '../../../lambdas/reconciliation/contract';
import { reconcile, type ReconciliationOptions } from '../../../lambdas/reconciliation/core';
import type { ReconciliationDependencies } from '../../../lambdas/reconciliation/run';
import { eventObject, subscriptionItemObject } from '../../../local/stripe/objects';
import { startStripeStandIn, type StripeStandIn } from '../../../local/stripe/stand-in';
import { StripeState } from '../../../local/stripe/state';
import * as factories from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

let database: TestDatabase;
let client: Client;
let stripe: StripeStandIn;

beforeEach(async () => {
  [database, stripe] = await Promise.all([createTestDatabase('billing'), startStripeStandIn()]);
  client = await database.client();
});
afterEach(() => Promise.all([database.drop(), stripe.stop()]));

const run = (options: Partial<ReconciliationOptions> = {}, dependencies: Partial<ReconciliationDependencies> = {}) =>
  reconcile(
    {
      client,
      stripe: createStripe('sk_test_1', stripe.url),
      call: pacedCaller({ callsPerSecond: 1_000, firstBackoffMs: 1 }),
      clock: () => new Date(),
      log: silentLog,
      ...dependencies,
    },
    { daysBack: 7, dryRun: false, settleSeconds: 0, ...options },
  );
const deliver = (...changes: { event: object }[]) =>
  applyEvents(
    client,
    stripeProvider,
    changes.map(({ event }) => ({ event: readEvent(event), source: 'webhook', receivedAt: new Date() })),
  );
const rows = async (sql: string) => (await client.query(sql)).rows;
/** A purchase whose charge Stripe does not list: what is left to find is about the purchase alone. */
const buy = (created = daysAgo(2)) => stripe.state.completeCheckout({ created, mode: 'setup' });
const daysAgo = (days: number) => Math.floor(Date.now() / 1000) - days * 86_400;

test('nothing to do: everything is checked and no drift is found', async () => {
  const { state } = stripe;
  const { object, event } = state.createSubscription();
  await deliver({ event }, state.payInvoice(object.id), buy(), state.createCharge());

  expect(await run()).toMatchObject({
    status: 'complete',
    events_checked: 4,
    events_missed: 0,
    subscriptions_checked: 1,
    purchases_checked: 1,
    charges_checked: 1,
    drift_detected: 0,
    corrected: 0,
    errors: 0,
  });
  expect(await rows('SELECT status, error FROM billing.reconciliation_runs')).toEqual([
    { status: 'complete', error: null },
  ]);
});

test('events that were never received are applied like delivered ones, and a second run finds nothing', async () => {
  const { state } = stripe;
  const { object: session } = state.completeCheckout();
  const { object: subscription } = state.createSubscription();
  state.payInvoice(subscription.id);
  state.refundCharge(state.chargeOf(session).id, 1_000);

  // The fifth is the refund as an object of its own, which the stand-in tells of in no event.
  expect(await run()).toMatchObject({ events_missed: 4, corrected: 5, drift_detected: 5 });
  expect(await rows(`SELECT source, status, count(*)::int FROM billing.webhook_events GROUP BY 1, 2`)).toEqual([
    { source: 'reconciliation', status: 'processed', count: 4 },
  ]);
  expect(await rows('SELECT amount FROM billing.refund_entries')).toEqual([{ amount: '1000' }]);
  expect(await run()).toMatchObject({ events_missed: 0, drift_detected: 0 });
});

test('a subscription made long ago and canceled while nobody listened is found and corrected', async () => {
  const { state } = stripe;
  const made = state.createSubscription({ created: daysAgo(400) });
  await deliver(made);
  state.cancelSubscription(made.object.id, { at: daysAgo(60) });

  expect(await run()).toMatchObject({ drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'canceled' }]);
  expect(
    await rows(
      `SELECT kind, field, local_value, stripe_value, corrected FROM billing.reconciliation_findings WHERE field = 'status'`,
    ),
  ).toEqual([
    { kind: 'field_differs', field: 'status', local_value: 'active', stripe_value: 'canceled', corrected: true },
  ]);
});

test.each([
  ['status', `UPDATE billing.subscriptions SET status = 'past_due'`],
  ['current_period_end', `UPDATE billing.subscriptions SET current_period_end = now()`],
  ['cancel_at_period_end', `UPDATE billing.subscriptions SET cancel_at_period_end = true`],
  ['user_id', `UPDATE billing.subscriptions SET user_id = 'somebody else'`],
  ['items', `UPDATE billing.subscription_items SET quantity = 99`],
  ['items', `DELETE FROM billing.subscription_items`],
])('a subscription whose %s was changed behind our back is corrected: %s', async (field, damage) => {
  const made = stripe.state.createSubscription({ created: daysAgo(20) });
  await deliver(made);
  await client.query(damage);

  expect(await run()).toMatchObject({ drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT field FROM billing.reconciliation_findings')).toEqual([{ field }]);
  expect(await run()).toMatchObject({ drift_detected: 0 });
});

test.each([
  ['payment_status', `UPDATE billing.purchases SET payment_status = 'unpaid'`],
  ['amount_total', `UPDATE billing.purchases SET amount_total = 1`],
])('a purchase whose %s was changed behind our back is corrected', async (field, damage) => {
  await deliver(buy());
  await client.query(damage);

  expect(await run()).toMatchObject({ purchases_checked: 1, drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT object_type, field FROM billing.reconciliation_findings')).toEqual([
    { object_type: 'purchase', field },
  ]);
});

test('an object that Stripe has and the database lacks is stored, however old', async () => {
  stripe.state.createSubscription({ created: daysAgo(90) });

  expect(await run()).toMatchObject({ events_missed: 0, drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT kind FROM billing.reconciliation_findings')).toEqual([{ kind: 'missing_locally' }]);
  expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 1 }]);
});

test('a subscription that Stripe does not know is reported and left alone', async () => {
  const made = new StripeState().createSubscription({ created: daysAgo(20) });
  await deliver(made);

  expect(await run()).toMatchObject({ drift_detected: 1, corrected: 0 });
  expect(await rows('SELECT kind, object_id FROM billing.reconciliation_findings')).toEqual([
    { kind: 'missing_at_stripe', object_id: made.object.id },
  ]);
  expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 1 }]);
});

test('a dry run reports the same and changes nothing', async () => {
  const { state } = stripe;
  state.createSubscription();
  await deliver(state.createSubscription({ created: daysAgo(20) }));
  await client.query(`UPDATE billing.subscriptions SET status = 'past_due'`);

  expect(await run({ dryRun: true })).toMatchObject({
    dry_run: true,
    events_missed: 1,
    drift_detected: 3,
    corrected: 0,
  });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);
  expect(await rows('SELECT count(*)::int FROM billing.webhook_events')).toEqual([{ count: 1 }]);
});

test('an event that lands while a page is under way is not overwritten by that page', async () => {
  const { state } = stripe;
  const made = state.createSubscription({ created: daysAgo(20) });
  await deliver(made);
  const other = await database.client();
  stripe.delay(300);
  const running = run();
  // The page with `active` was requested before this event happened.
  const later = { created: Math.floor(Date.now() / 1000) + 1 };
  const canceled = { ...made.event, ...later, id: 'evt_landed_meanwhile', type: 'customer.subscription.updated' };
  await applyEvents(other, stripeProvider, [
    {
      event: readEvent({ ...canceled, data: { object: { ...made.object, status: 'past_due' } } }),
      source: 'webhook',
      receivedAt: new Date(),
    },
  ]);

  // The page is older than the event, so it proves no drift either.
  expect(await running).toMatchObject({ drift_detected: 0 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);
});

test('a subscription with more items than a list carries keeps them all', async () => {
  const { object } = stripe.state.createSubscription({ created: daysAgo(90) });
  const items = Array.from({ length: 15 }, () => subscriptionItemObject(object.id, { created: daysAgo(90) }));
  stripe.state.updateSubscription(object.id, { items: { ...object.items, data: items } }, { at: daysAgo(80) });

  expect(await run()).toMatchObject({ corrected: 1 });
  expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 15 }]);
  expect(await run()).toMatchObject({ drift_detected: 0 });
});

test('a refund of today is found although its charge is older than the window', async () => {
  const sold = stripe.state.createCharge({ created: daysAgo(60), amount: 5_000 });
  await deliver(sold);
  const { event } = stripe.state.refundCharge(sold.object.id, 2_000);
  // The event is known, and yet had no effect.
  await client.query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
     VALUES ($1, 'charge.refunded', false, 'webhook', 'processed', 1, now(), now(), now(), '{}')`,
    [event.id],
  );

  expect(await run()).toMatchObject({ events_missed: 0, charges_checked: 1, drift_detected: 2, corrected: 2 });
  expect(await rows('SELECT object_type, kind, field FROM billing.reconciliation_findings ORDER BY 1')).toEqual([
    { object_type: 'charge', kind: 'field_differs', field: 'amount_refunded' },
    { object_type: 'refund', kind: 'missing_locally', field: null },
  ]);
  expect(await rows('SELECT sum(amount)::int FROM billing.refund_entries')).toEqual([{ sum: 2_000 }]);
  expect(await run()).toMatchObject({ drift_detected: 0 });
});

describe('the window', () => {
  test('reaches back to the last complete run, however long ago it was', async () => {
    await run({ daysBack: 1 }, { clock: () => new Date(daysAgo(20) * 1_000) });
    buy(daysAgo(15));

    expect(await run({ daysBack: 1 })).toMatchObject({ events_missed: 1 });
  });

  test('a dry run and a failed one do not move it', async () => {
    const longAgo = { clock: () => new Date(daysAgo(20) * 1_000) };
    await run({ daysBack: 1 }, longAgo);
    const later = { clock: () => new Date(daysAgo(3) * 1_000) };
    await run({ daysBack: 1, dryRun: true }, later);
    const away = { ...later, call: () => Promise.reject(new Error('Stripe is away')) };
    await expect(run({ daysBack: 1 }, away)).rejects.toThrow('Stripe is away');
    buy(daysAgo(15));

    expect(await run({ daysBack: 1 })).toMatchObject({ events_missed: 1 });
  });

  test('ends where deliveries may still be under way; what is newer is left to the next run, which finds it', async () => {
    const { state } = stripe;
    const [minutesAgo, now] = [(minutes: number) => Math.floor(Date.now() / 1000) - minutes * 60, Date.now()];
    const settled = state.createSubscription({ created: minutesAgo(16) });
    const underWay = state.createSubscription({ created: minutesAgo(14) });
    state.completeCheckout({ created: minutesAgo(14) });
    state.refundCharge(state.createCharge({ created: minutesAgo(14) }).object.id, 100, { at: minutesAgo(13) });
    // Its event has arrived, and is no reason to miss the subscription at Stripe.
    await deliver(state.createSubscription({ created: minutesAgo(14) }));

    expect(await run({ settleSeconds: SETTLE_SECONDS })).toMatchObject({
      events_checked: 1,
      events_missed: 1,
      subscriptions_checked: 1,
      purchases_checked: 0,
      charges_checked: 0,
      drift_detected: 1,
    });
    expect(await rows('SELECT object_id FROM billing.reconciliation_findings')).toEqual([
      { object_id: settled.event.id },
    ]);

    const later = { clock: () => new Date(now + 30 * 60_000) };
    expect(await run({ daysBack: 1, settleSeconds: SETTLE_SECONDS }, later)).toMatchObject({
      events_missed: 4,
      subscriptions_checked: 3,
    });
    expect(await rows(`SELECT id FROM billing.subscriptions WHERE id = '${underWay.object.id}'`)).toHaveLength(1);
    expect(await rows('SELECT sum(amount)::int FROM billing.refund_entries')).toEqual([{ sum: 100 }]);
  });
});

test('an event of every type that the endpoint takes is found when it was never received', async () => {
  for (const type of ENDPOINT_EVENT_TYPES) {
    stripe.state.events.put(eventObject(type, objectOf(type), { created: daysAgo(1) }));
  }

  expect(await run()).toMatchObject({ events_missed: ENDPOINT_EVENT_TYPES.length });
  expect(await rows(`SELECT type FROM billing.webhook_events WHERE status = 'processed' ORDER BY type`)).toEqual(
    ENDPOINT_EVENT_TYPES.toSorted().map((type) => ({ type })),
  );
});

/** What an event of a type is about. */
function objectOf(type: string): object {
  if (/^(charge\.)?refund\.(created|updated|failed)$/.test(type)) return factories.refund();
  const [, maker] = OBJECTS.find(([prefix]) => type.startsWith(prefix)) ?? [];
  if (maker === undefined) throw new Error(`There is no object for ${type}`);
  return maker();
}
const OBJECTS: readonly (readonly [string, () => object])[] = [
  ['customer.subscription.', factories.subscription],
  ['customer.', factories.customer],
  ['invoice.', factories.invoice],
  ['checkout.session.', factories.checkoutSession],
  ['payment_intent.', factories.paymentIntent],
  ['charge.', factories.charge],
  ['account.', factories.account],
];

test('more than a page of everything is read to the end', async () => {
  for (let index = 0; index < 230; index += 1) stripe.state.createSubscription();

  expect(await run()).toMatchObject({
    events_checked: 230,
    events_missed: 230,
    subscriptions_checked: 230,
    corrected: 230,
  });
  expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 230 }]);
});

describe('failures', () => {
  test.each([429, 500] as const)('a few answers of %i are waited out', async (status) => {
    stripe.state.createSubscription();
    stripe.failNext(3, status);

    expect(await run()).toMatchObject({ status: 'complete', corrected: 1 });
  });

  test('a run that Stripe keeps refusing is failed, not complete, and says why', async () => {
    stripe.failNext(1_000, 500);

    await expect(run()).rejects.toMatchObject({ code: 'stripe_unavailable', retryable: true });
    expect(await rows('SELECT status, error FROM billing.reconciliation_runs')).toEqual([
      { status: 'failed', error: expect.stringContaining('Stripe did not answer in 6 attempts') },
    ]);
  });

  test('an object that cannot be read fails the run, names it, and the others are corrected all the same', async () => {
    const { state } = stripe;
    const { object } = state.createSubscription({ created: daysAgo(90) });
    state.createSubscription({ created: daysAgo(91) });
    state.subscriptions.put({ ...object, currency: 'euro' });

    await expect(run()).rejects.toThrow(`${object.id}: subscription.currency: expected a three-letter currency`);
    expect(await rows('SELECT status FROM billing.reconciliation_runs')).toEqual([{ status: 'failed' }]);
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 1 }]);
  });

  test('a missed event that cannot be applied fails the run that finds it, names it, and is parked', async () => {
    const { object } = stripe.state.createSubscription({ created: daysAgo(90) });
    await run();
    const poison = stripe.state.updateSubscription(object.id, { currency: 'euro' });
    stripe.state.subscriptions.put(object);
    buy();

    await expect(run()).rejects.toThrow(`${poison.event.id}: subscription.currency: expected a three-letter currency`);
    expect(await rows('SELECT status, count(*)::int FROM billing.webhook_events GROUP BY 1 ORDER BY 1')).toEqual([
      { status: 'failed', count: 1 },
      { status: 'processed', count: 1 },
    ]);
    expect(await run()).toMatchObject({ status: 'complete', events_missed: 0 });
  });

  test('a second run at the same time is refused; one after a killed run goes on with it', async () => {
    const killed = await database.client();
    stripe.delay(200);
    const first = run({}, { client: killed }).catch((error: unknown) => error);
    while ((await rows(`SELECT FROM billing.reconciliation_runs WHERE status = 'running'`)).length === 0);
    await expect(run()).rejects.toMatchObject({ code: 'reconciliation_running' });

    await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
    );
    expect(await first).toBeInstanceOf(Error);
    stripe.delay(0);
    expect(await run()).toMatchObject({ status: 'complete' });
    expect(await rows('SELECT status, error, invocations FROM billing.reconciliation_runs')).toEqual([
      { status: 'complete', error: null, invocations: 2 },
    ]);
  });
});
