import { applyEvents } from '../../../core/billing/apply-events';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import { tilledProvider } from '../../../core/providers/tilled/provider';
import { tilledEvent, tilledIntent, tilledSubscription } from '../../factories/tilled-objects';
import { putRules } from '../../support/entitlements';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, reconcile, rows, stripe } = useStripeAndDatabase();

test('what another provider sold, or was paid in bitcoin, is neither asked for nor missed at Stripe, nor taken away', async () => {
  await putRules(client(), [
    { id: 'pro', grants: { source: 'subscription', priceId: 'tilled:2900:usd:1month' }, features: ['pro'] },
    { id: 'courses', grants: { source: 'purchase', kind: 'course' }, features: ['course:{item_id}'] },
  ]);
  const created_at = new Date(daysAgoSeconds(2) * 1000).toISOString();
  const next_payment_at = new Date(daysAgoSeconds(-28) * 1000).toISOString();
  const times = { created_at, updated_at: created_at };
  const metadata = { kind: 'course', item_id: 'c_1', user_id: 'user_1', project_id: 'project_1' };
  const events = [
    tilledEvent('subscription.created', tilledSubscription({ ...times, next_payment_at })),
    tilledEvent('payment_intent.succeeded', tilledIntent({ ...times, metadata })),
    tilledEvent('account.updated', { id: 'acct_1', status: 'active', ...times }),
  ];
  const { afterStore } = gatherEntitlementUpdates();
  await applyEvents(
    client(),
    tilledProvider,
    events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
    { afterStore },
  );
  await client().query(
    `INSERT INTO billing.purchases
       (id, project_id, user_id, kind, item_id, mode, status, payment_status, amount_total, currency, created_at, version, raw)
     SELECT 'btc_' || status, 'project_1', 'user_1', 'course', status, 'payment', 'complete', status, 150000, 'btc',
            now() - make_interval(days => age), 'bitcoin', '{}'
     FROM (VALUES ('paid', 2), ('unpaid', 20)) AS sold (status, age)`,
  );
  const granted = () => rows('SELECT feature, valid_until FROM billing.entitlements ORDER BY feature');
  const before = await granted();
  expect(before).toMatchObject([{ feature: 'course:c_1' }, { feature: 'pro' }]);

  expect(await reconcile({ entitlements: 'all' })).toMatchObject({ status: 'complete', errors: 0 });
  expect(await rows('SELECT kind, object_id FROM billing.reconciliation_findings')).toEqual([]);
  expect(await granted()).toEqual(before);
  expect(stripe().requests.filter(({ path }) => /tilled:|btc_/.test(decodeURIComponent(path)))).toEqual([]);
});
