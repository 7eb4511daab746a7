import type { CallStripe } from '../../../core/providers/stripe/paced-caller';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { priceObject, subscriptionItemObject } from '../../../local/stripe/objects';
import { SETTLE_SECONDS } from '../../../lambdas/reconciliation/contract';
import { deliver as deliverTo, unpacedCaller } from '../../factories/stripe-work';
import { daysAgoSeconds, nowSeconds, useStripeAndDatabase } from '../../support/stripe';
import { applyWithEntitlements, putRules } from '../../support/entitlements';

const { client, database, deliver, reconcile, rows, stripe } = useStripeAndDatabase();

const run = () => reconcile({ settleSeconds: SETTLE_SECONDS });
const secondsAgo = (seconds: number) => ({ atSeconds: nowSeconds() - seconds });
const findings = () => rows('SELECT object_type, object_id FROM billing.reconciliation_findings');

test('an object whose change is still on its way is no drift, and is left to its event', async () => {
  const { state } = stripe();
  const made = state.createSubscription({ created: daysAgoSeconds(20) });
  await deliver(made);
  const canceled = state.cancelSubscription(made.object.id, secondsAgo(20));

  expect(await run()).toMatchObject({ drift_detected: 0, corrected: 0, subscriptions_checked: 1 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'active' }]);
  await deliver(canceled);
  expect(await run()).toMatchObject({ drift_detected: 0 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'canceled' }]);
});

test('an object that differs for another reason is drift, whatever is on its way of others', async () => {
  const { state } = stripe();
  const damaged = state.createSubscription({ created: daysAgoSeconds(20) });
  const moving = state.createSubscription({ created: daysAgoSeconds(20) });
  await deliver(damaged, moving);
  state.cancelSubscription(moving.object.id, secondsAgo(20));
  await client().query(`UPDATE billing.subscriptions SET status = 'past_due' WHERE id = $1`, [damaged.object.id]);

  expect(await run()).toMatchObject({ drift_detected: 1, corrected: 1 });
  expect(await findings()).toEqual([{ object_type: 'subscription', object_id: damaged.object.id }]);
});

test('a change that the ledger has, and the row has not, is drift however new it is', async () => {
  const { state } = stripe();
  const made = state.createSubscription({ created: daysAgoSeconds(20) });
  await deliver(made);
  const [before] = await rows('SELECT version FROM billing.subscriptions');
  await deliver(state.cancelSubscription(made.object.id, secondsAgo(20)));
  await client().query(`UPDATE billing.subscriptions SET status = 'active', version = $1`, [before.version]);

  expect(await run()).toMatchObject({ drift_detected: 1, corrected: 1 });
});

test('a change whose event is applied after the page was read is no drift', async () => {
  const { state } = stripe();
  const made = state.createSubscription({ created: daysAgoSeconds(20) });
  await deliver(made);
  const canceled = state.cancelSubscription(made.object.id, secondsAgo(20));
  const processor = await database().client();
  const plain = unpacedCaller();
  const call: CallStripe = async (request) => {
    const answer = await plain(request);
    const { data = [] } = answer.value as { data?: { id: string }[] };
    if (data.some(({ id }) => id === canceled.event.id)) await deliverTo(processor, [canceled]);
    return answer;
  };

  expect(await reconcile({ settleSeconds: SETTLE_SECONDS }, { call })).toMatchObject({ drift_detected: 0 });
  expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'canceled' }]);
});

test('access that an event on its way will change is no drift, and other wrong access is', async () => {
  await putRules(client(), [
    { id: 'pro', grants: { source: 'subscription', priceId: 'price_pro' }, features: ['pro'] },
  ]);
  const [moving, damaged] = ['ann', 'bob'].map((user) => {
    const id = `sub_${user}`;
    const created = daysAgoSeconds(20);
    const item = subscriptionItemObject(id, { created, price: priceObject({ id: 'price_pro', product: 'prod_pro' }) });
    const items = { object: 'list' as const, data: [item], has_more: false, url: '' };
    return stripe().state.createSubscription({ id, created, metadata: { user_id: user }, items });
  });
  for (const made of [moving, damaged]) await applyWithEntitlements(client(), readEvent(made?.event));
  stripe().state.cancelSubscription('sub_ann', secondsAgo(20));
  await client().query(`DELETE FROM billing.entitlements WHERE user_id = 'bob'`);

  expect(await run()).toMatchObject({ drift_detected: 1, kinds: { entitlements: { checked: 2, drift: 1 } } });
  expect(await findings()).toEqual([{ object_type: 'entitlements', object_id: 'sub_bob' }]);
});
