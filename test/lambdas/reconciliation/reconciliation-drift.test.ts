import { waitUntil } from '../../../local/pass/check';
import { StripeState } from '../../../local/stripe/state';
import { subscriptionItemObject } from '../../../local/stripe/objects';
import { deliver as deliverTo } from '../../factories/stripe-work';
import { daysAgoSeconds, nowSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, database, deliver, reconcile, rows, stripe } = useStripeAndDatabase();

test('a subscription created long ago, whose cancellation was never received, is corrected', async () => {
  const { state } = stripe();
  const created = state.createSubscription({ created: daysAgoSeconds(400) });
  await deliver(created);
  state.cancelSubscription(created.object.id, { atSeconds: daysAgoSeconds(60) });

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
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
  ['user_id', `UPDATE billing.subscriptions SET user_id = 'another user'`],
  ['items', `UPDATE billing.subscription_items SET quantity = 99`],
  ['items', `DELETE FROM billing.subscription_items`],
])('a subscription whose %s was changed in the database is corrected: %s', async (field, damage) => {
  await deliver(stripe().state.createSubscription({ created: daysAgoSeconds(20) }));
  await client().query(damage);

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT field FROM billing.reconciliation_findings')).toEqual([{ field }]);
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});

test.each([
  ['payment_status', `UPDATE billing.purchases SET payment_status = 'unpaid'`],
  ['amount_total', `UPDATE billing.purchases SET amount_total = 1`],
])('a purchase whose %s was changed in the database is corrected', async (field, damage) => {
  // In this mode Stripe lists no charge for it, so nothing else can differ.
  await deliver(stripe().state.completeCheckout({ created: daysAgoSeconds(2), mode: 'setup' }));
  await client().query(damage);

  expect(await reconcile()).toMatchObject({ purchases_checked: 1, drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT object_type, field FROM billing.reconciliation_findings')).toEqual([
    { object_type: 'purchase', field },
  ]);
});

test('a subscription that the database lacks is stored, however old it is', async () => {
  stripe().state.createSubscription({ created: daysAgoSeconds(90) });

  expect(await reconcile()).toMatchObject({ eventsMissed: 0, drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT kind FROM billing.reconciliation_findings')).toEqual([{ kind: 'missing_locally' }]);
  expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 1 }]);
});

test('a customer of whom only the id was known is stored as missing', async () => {
  const { state } = stripe();
  const customer = state.createCustomer({ created: daysAgoSeconds(3) });
  await deliver(customer);
  await client().query(
    `DELETE FROM billing.customers; INSERT INTO billing.customers (id, first_seen_at) VALUES ('${customer.object.id}', now())`,
  );

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
  expect(await rows('SELECT kind, object_type FROM billing.reconciliation_findings')).toEqual([
    { kind: 'missing_locally', object_type: 'customer' },
  ]);
  expect(await rows('SELECT email FROM billing.customers')).toEqual([{ email: customer.object.email }]);
});

test('a subscription that Stripe does not list is reported and not changed', async () => {
  const unlisted = new StripeState().createSubscription({ created: daysAgoSeconds(20) });
  await deliver(unlisted);

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 0 });
  expect(await rows('SELECT kind, object_id, corrected FROM billing.reconciliation_findings')).toEqual([
    { kind: 'missing_at_stripe', object_id: unlisted.object.id, corrected: false },
  ]);
  expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 1 }]);
});

test('a dry run reports the same drift and corrects nothing', async () => {
  const { state } = stripe();
  state.createSubscription();
  await deliver(state.createSubscription({ created: daysAgoSeconds(20) }));
  await client().query(`UPDATE billing.subscriptions SET status = 'past_due'`);

  expect(await reconcile({ dryRun: true })).toMatchObject({
    dryRun: true,
    eventsMissed: 1,
    drift_detected: 3,
    corrected: 0,
  });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);
  expect(await rows('SELECT count(*)::int FROM billing.webhook_events')).toEqual([{ count: 1 }]);
  expect(await rows('SELECT DISTINCT corrected FROM billing.reconciliation_findings')).toEqual([{ corrected: false }]);
});

test('an event that is stored while a page is under way is not overwritten by that page', async () => {
  const { state } = stripe();
  const created = state.createSubscription({ created: daysAgoSeconds(20) });
  await deliver(created);
  const other = await database().client();
  const page = stripe().hold();
  const running = reconcile();
  await waitUntil(async () => (page.arrived() > 0 ? undefined : 'no page is requested'), 10_000);
  // The page, on which the subscription is active, was requested before this event happened.
  const event = {
    ...created.event,
    created: nowSeconds() + 1,
    id: 'evt_later',
    type: 'customer.subscription.updated',
    data: { object: { ...created.object, status: 'past_due' } },
  };
  await deliverTo(other, [{ event }]);
  page.release();

  // The page is older than the event, so it proves no drift either.
  expect(await running).toMatchObject({ drift_detected: 0 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);
});

test('a subscription with more items than a list carries keeps them all', async () => {
  const { state } = stripe();
  const { object } = state.createSubscription({ created: daysAgoSeconds(90) });
  const items = Array.from({ length: 15 }, () => subscriptionItemObject(object.id, { created: daysAgoSeconds(90) }));
  state.updateSubscription(object.id, { items: { ...object.items, data: items } }, { atSeconds: daysAgoSeconds(80) });

  expect(await reconcile()).toMatchObject({ corrected: 1 });
  expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 15 }]);
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});

test('a refund in the window of a charge before it corrects both', async () => {
  const { state } = stripe();
  const sold = state.createCharge({ created: daysAgoSeconds(60), amount: 5_000 });
  await deliver(sold);
  const { event } = state.refundCharge(sold.object.id, 2_000);
  // The ledger has the event, which had no effect.
  await client().query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
     VALUES ($1, 'charge.refunded', false, 'webhook', 'processed', 1, now(), now(), now(), '{}')`,
    [event.id],
  );

  expect(await reconcile()).toMatchObject({ eventsMissed: 0, chargesChecked: 1, drift_detected: 2, corrected: 2 });
  expect(await rows('SELECT object_type, kind, field FROM billing.reconciliation_findings ORDER BY 1')).toEqual([
    { object_type: 'charge', kind: 'field_differs', field: 'amount_refunded' },
    { object_type: 'refund', kind: 'missing_locally', field: null },
  ]);
  expect(await rows('SELECT sum(amount)::int FROM billing.refund_entries')).toEqual([{ sum: 2_000 }]);
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});
