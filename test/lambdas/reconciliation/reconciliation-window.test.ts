import { SETTLE_SECONDS } from '../../../lambdas/reconciliation/contract';
import { daysAgoSeconds, nowSeconds, useStripeAndDatabase } from '../../support/stripe';

const { deliver, reconcile, rows, stripe } = useStripeAndDatabase();

const clockDaysAgo = (days: number) => ({ clock: () => new Date(daysAgoSeconds(days) * 1_000) });

test('a run looks back to the last complete one, however long ago that was', async () => {
  await reconcile({ daysBack: 1 }, clockDaysAgo(20));
  stripe().state.completeCheckout({ created: daysAgoSeconds(15), mode: 'setup' });

  expect(await reconcile({ daysBack: 1 })).toMatchObject({ eventsMissed: 1 });
});

test('a dry run and a failed run do not count as the last complete one', async () => {
  await reconcile({ daysBack: 1 }, clockDaysAgo(20));
  await reconcile({ daysBack: 1, dryRun: true }, clockDaysAgo(3));
  const failing = { ...clockDaysAgo(3), call: () => Promise.reject(new Error('Stripe is down')) };
  await expect(reconcile({ daysBack: 1 }, failing)).rejects.toThrow('Stripe is down');
  stripe().state.completeCheckout({ created: daysAgoSeconds(15), mode: 'setup' });

  expect(await reconcile({ daysBack: 1 })).toMatchObject({ eventsMissed: 1 });
});

test('a run reports the end of its window, and how much later than that it began', async () => {
  const startedAt = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  const clock = { clock: () => startedAt };
  const secondsLater = (seconds: number) => new Date(startedAt.getTime() + seconds * 1_000).toISOString();

  expect(await reconcile({ settleSeconds: SETTLE_SECONDS }, clock)).toMatchObject({
    comparedUntil: secondsLater(1 - SETTLE_SECONDS),
    uncomparedSeconds: SETTLE_SECONDS - 1,
  });
  // The second of the start is compared as a whole.
  expect(await reconcile({ settleSeconds: 0 }, clock)).toMatchObject({
    comparedUntil: secondsLater(1),
    uncomparedSeconds: 0,
  });
});

test('a run leaves what may still be delivered to the next run, which finds it', async () => {
  const { state } = stripe();
  const minutesAgo = (minutes: number) => nowSeconds() - minutes * 60;
  const startedAtMs = Date.now();
  const settled = state.createSubscription({ created: minutesAgo(16) });
  const underWay = state.createSubscription({ created: minutesAgo(14) });
  state.completeCheckout({ created: minutesAgo(14) });
  state.refundCharge(state.createCharge({ created: minutesAgo(14) }).object.id, 100, { atSeconds: minutesAgo(13) });
  // The database has this subscription, and the run must not report that Stripe does not list it.
  await deliver(state.createSubscription({ created: minutesAgo(14) }));

  expect(await reconcile({ settleSeconds: SETTLE_SECONDS })).toMatchObject({
    eventsChecked: 1,
    eventsMissed: 1,
    subscriptions_checked: 1,
    purchases_checked: 0,
    chargesChecked: 0,
    drift_detected: 1,
  });
  expect(await rows('SELECT object_id FROM billing.reconciliation_findings')).toEqual([
    { object_id: settled.event.id },
  ]);

  const later = { clock: () => new Date(startedAtMs + 30 * 60_000) };
  expect(await reconcile({ daysBack: 1, settleSeconds: SETTLE_SECONDS }, later)).toMatchObject({
    eventsMissed: 4,
    subscriptions_checked: 3,
  });
  expect(await rows(`SELECT id FROM billing.subscriptions WHERE id = '${underWay.object.id}'`)).toHaveLength(1);
  expect(await rows('SELECT sum(amount)::int FROM billing.refund_entries')).toEqual([{ sum: 100 }]);
});
