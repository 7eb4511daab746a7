import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import { readEvent } from '../../../core/providers/stripe/shapes';
import type { ReconciliationOptions } from '../../../lambdas/reconciliation/core';
import { unpacedCaller } from '../../factories/stripe-work';
import { priceObject, subscriptionItemObject } from '../../../local/stripe/objects';
import { applyWithEntitlements, putRules, storedEntitlements } from '../../support/entitlements';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, reconcile: run, rows, stripe } = useStripeAndDatabase();
beforeEach(() =>
  putRules(client(), [
    { id: 'pro', grants: { source: 'subscription', priceId: 'price_pro', graceDays: 3 }, features: ['pro'] },
    { id: 'course', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
  ]),
);

const reconcile = (options: Partial<ReconciliationOptions> = {}, overrides = {}) =>
  run(options, { apply: { afterStore: gatherEntitlementUpdates().afterStore }, ...overrides });
const deliver = (...changes: { readonly event: object }[]) =>
  applyWithEntitlements(client(), ...changes.map(({ event }) => readEvent(event)));
const entitlementDrift = (checked: number, drift: number) => ({ kinds: { entitlements: { checked, drift } } });
const findings = () =>
  rows(
    `SELECT object_type, object_id, local_value, stripe_value, corrected FROM billing.reconciliation_findings ORDER BY id`,
  );

/** A subscription to `pro`, created before the window. */
function subscribe(user: string, overrides = {}) {
  const created = daysAgoSeconds(20);
  const id = `sub_${user}`;
  const item = subscriptionItemObject(id, { created, price: priceObject({ id: 'price_pro', product: 'prod_pro' }) });
  return stripe().state.createSubscription({
    id,
    created,
    customer: `cus_${user}`,
    metadata: { user_id: user },
    items: { object: 'list', data: [item], has_more: false, url: '' },
    ...overrides,
  });
}

/** A course, bought before the window, with its payment. */
function buyCourse(user: string) {
  const { state } = stripe();
  const created = daysAgoSeconds(20);
  const charge = state.createCharge({ created, customer: `cus_${user}`, payment_intent: `pi_${user}` });
  const intent = state.createPaymentIntent({
    id: `pi_${user}`,
    created,
    customer: `cus_${user}`,
    latest_charge: charge.object.id,
  });
  const session = state.completeCheckout({
    id: `cs_${user}`,
    created,
    customer: `cus_${user}`,
    payment_intent: intent.object.id,
    metadata: { user_id: user, kind: 'course', item_id: 'a' },
  });
  // The stand-in makes a charge of its own for the session.
  for (const other of state.charges.newestFirst()) if (other.id !== charge.object.id) state.charges.delete(other.id);
  return { charge, deliveries: [charge, intent, session] };
}

test('entitlements that agree with Stripe are no drift, and judging them changes nothing', async () => {
  await deliver(subscribe('ann'), ...buyCourse('bob').deliveries);
  const before = await rows('SELECT id, version FROM billing.subscriptions');

  expect(await reconcile()).toMatchObject({ drift_detected: 0, corrected: 0, ...entitlementDrift(2, 0) });
  expect(await rows('SELECT id, version FROM billing.subscriptions')).toEqual(before);
  expect(await rows('SELECT count(*)::int FROM billing.invoices')).toEqual([{ count: 0 }]);
});

test.each([
  ['lost', 'DELETE FROM billing.entitlements'],
  ['ended too early', `UPDATE billing.entitlements SET valid_until = now()`],
  ['given to another user', `UPDATE billing.entitlements SET user_id = 'eve'`],
])('an entitlement that was %s is drift of entitlements, and restored', async (_what, damage) => {
  await deliver(subscribe('ann'));
  const right = await storedEntitlements(client());
  await client().query(damage);

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1, ...entitlementDrift(1, 1) });
  expect(await storedEntitlements(client())).toEqual(right);
  expect(await findings()).toMatchObject([{ object_type: 'entitlements', object_id: 'sub_ann', corrected: true }]);
  expect(await reconcile()).toMatchObject({ drift_detected: 0 });
});

test('an old paid invoice that the database lacks is found by the entitlements that it decides', async () => {
  const { state } = stripe();
  const created = daysAgoSeconds(20);
  const { object, event } = subscribe('ann', { status: 'past_due' });
  const line = {
    id: 'il_1',
    object: 'line_item',
    amount: 2_900,
    period: { start: created, end: daysAgoSeconds(-10) },
    pricing: { type: 'price_details', price_details: { price: 'price_pro', product: 'prod_pro' } },
    parent: {
      type: 'subscription_item_details',
      subscription_item_details: { subscription: object.id, subscription_item: object.items.data[0]?.id },
    },
  };
  state.payInvoice(object.id, { created, lines: { object: 'list', data: [line], has_more: false, url: '' } as never });
  await deliver({ event });
  // The event of the invoice is in the ledger and had no effect.
  await client().query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at, payload)
     SELECT id, 'invoice.paid', false, 'webhook', 'processed', 1, now(), now(), now(), '{}' FROM unnest($1::text[]) AS id
     ON CONFLICT DO NOTHING`,
    [state.events.newestFirst().map(({ id }) => id)],
  );

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1, ...entitlementDrift(1, 1) });
  expect(await rows('SELECT status FROM billing.invoices')).toEqual([{ status: 'paid' }]);
  expect(await storedEntitlements(client())).toHaveLength(1);
});

test('a refund that the database lacks takes a purchase away', async () => {
  const { state } = stripe();
  const { charge, deliveries } = buyCourse('bob');
  await deliver(...deliveries);
  state.refundCharge(charge.object.id, undefined, { atSeconds: daysAgoSeconds(15) });
  state.events.delete(state.events.newestFirst()[0]?.id ?? '');

  expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1, ...entitlementDrift(1, 1) });
  expect(await storedEntitlements(client())).toEqual([]);
});

test('an owner that only the customer at Stripe names is found', async () => {
  const { state } = stripe();
  state.customers.put(
    state.createCustomer({ id: 'cus_ann', created: daysAgoSeconds(400), metadata: { user_id: 'ann' } }).object,
  );
  await deliver(subscribe('ann', { metadata: {} }));
  expect(await storedEntitlements(client())).toEqual([]);

  expect(await reconcile()).toMatchObject(entitlementDrift(1, 1));
  expect(await storedEntitlements(client())).toEqual([expect.stringMatching(/^ann\/ pro sub_ann /)]);
});

test('an invoice that Stripe does not have is reported by the entitlements it grants, which stay', async () => {
  const { state } = stripe();
  const { object, event } = subscribe('ann', { status: 'unpaid' });
  const paid = state.payInvoice(object.id, {
    created: daysAgoSeconds(20),
    lines: {
      object: 'list',
      has_more: false,
      url: '',
      data: [
        {
          id: 'il_1',
          amount: 1,
          period: { start: daysAgoSeconds(20), end: daysAgoSeconds(-10) },
          pricing: { price_details: { price: 'price_pro', product: 'prod_pro' } },
          parent: { subscription_item_details: { subscription_item: object.items.data[0]?.id } },
        },
      ],
    } as never,
  });
  await deliver({ event }, paid);
  state.invoices.delete(paid.object.id ?? '');

  expect(await reconcile()).toMatchObject({ corrected: 0, ...entitlementDrift(1, 1) });
  expect(await findings()).toEqual([
    expect.objectContaining({ object_type: 'entitlements', stripe_value: null, corrected: false }),
  ]);
  expect(await storedEntitlements(client())).toHaveLength(1);
});

test('a dry run reports wrong entitlements and changes none', async () => {
  await deliver(subscribe('ann'));
  await client().query('DELETE FROM billing.entitlements');

  expect(await reconcile({ dryRun: true })).toMatchObject({ corrected: 0, ...entitlementDrift(1, 1) });
  expect(await storedEntitlements(client())).toEqual([]);
  expect(await findings()).toMatchObject([{ object_type: 'entitlements', local_value: null, corrected: false }]);
});

test('rows that are newer than what Stripe answered are not judged by it', async () => {
  const { object, event } = subscribe('ann');
  await deliver({ event });
  await client().query('DELETE FROM billing.entitlements');
  const later = daysAgoSeconds(-1);
  await client().query(
    `UPDATE billing.subscriptions SET version = regexp_replace(version, '^(\\d+):\\d+', '\\1:' || lpad('${later}', 16, '0'))`,
  );

  expect(await reconcile()).toMatchObject({ drift_detected: 0, ...entitlementDrift(1, 0) });
  expect(object.id).toBe('sub_ann');
});

test('a sample is another one each day until every subscription had its turn', async () => {
  await deliver(...['a', 'b', 'c'].map((user) => subscribe(user)));
  await client().query('DELETE FROM billing.entitlements');
  const corrected: number[] = [];
  for (const day of [2, 1, 0]) {
    const clock = () => new Date(daysAgoSeconds(day) * 1_000);
    corrected.push((await reconcile({ sampledEntitlements: 1 }, { clock })).corrected);
  }

  expect(corrected).toEqual([1, 1, 1]);
  expect(await storedEntitlements(client())).toHaveLength(3);
});

test('on demand, all entitlements are judged, whatever the sample, and an interrupted run continues so', async () => {
  await deliver(...Array.from({ length: 12 }, (_, index) => subscribe(`user_${index}`)));
  await client().query('DELETE FROM billing.entitlements');
  const timeIsUp = new AbortController();
  const call = unpacedCaller();
  let judged = 0;
  const first = await reconcile(
    { entitlements: 'all', sampledEntitlements: 0 },
    {
      stop: timeIsUp.signal,
      call: (async (request) => {
        const answer = await call(request);
        if (stripe().requests.at(-1)?.path.startsWith('/v1/charges') && (judged += 1) > 3) timeIsUp.abort();
        return answer;
      }) as typeof call,
    },
  );
  expect(first).toMatchObject({ status: 'interrupted' });

  expect(await reconcile({ sampledEntitlements: 0 })).toMatchObject({
    runId: first.runId,
    status: 'complete',
    corrected: 12,
    ...entitlementDrift(12, 12),
  });
});

test('a request for all entitlements does not continue a run that judges a sample', async () => {
  await deliver(subscribe('ann'));
  const timeIsUp = AbortSignal.abort();
  const interrupted = await reconcile({}, { stop: timeIsUp });

  expect((await reconcile({ entitlements: 'all' })).runId).not.toBe(interrupted.runId);
});

test('where no rule grants anything, no entitlement is judged', async () => {
  await deliver(subscribe('ann'));
  await putRules(client(), []);
  await client().query('DELETE FROM billing.entitlements');

  expect((await reconcile()).kinds).not.toHaveProperty('entitlements');
  expect(stripe().requests.some(({ path }) => path.startsWith('/v1/subscriptions/'))).toBe(false);
});
