import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, database, reconcile, rows, stripe } = useStripeAndDatabase();

test.each([429, 500] as const)('a run repeats calls that Stripe answers with %i', async (status) => {
  stripe().state.createSubscription();
  stripe().failNext(3, status);

  expect(await reconcile()).toMatchObject({ status: 'complete', corrected: 1 });
});

test('a run that Stripe keeps refusing is recorded as failed, with the reason', async () => {
  stripe().failNext(1_000, 500);

  await expect(reconcile()).rejects.toMatchObject({ code: 'stripe_unavailable', retryable: true });
  expect(await rows('SELECT status, error FROM billing.reconciliation_runs')).toEqual([
    { status: 'failed', error: expect.stringContaining('Stripe did not answer in 6 attempts') },
  ]);
});

test('an object that cannot be read fails the run by its id, and the others are corrected', async () => {
  const { state } = stripe();
  const { object } = state.createSubscription({ created: daysAgoSeconds(90) });
  state.createSubscription({ created: daysAgoSeconds(91) });
  state.subscriptions.put({ ...object, currency: 'euro' });

  await expect(reconcile()).rejects.toThrow(`${object.id}: subscription.currency: expected an ISO 4217 currency`);
  expect(await rows('SELECT status, errors, corrected FROM billing.reconciliation_runs')).toEqual([
    { status: 'failed', errors: 1, corrected: 1 },
  ]);
  expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 1 }]);
});

test('a missed event that cannot be applied is recorded as failed, and fails only the run that finds it', async () => {
  const { state } = stripe();
  const { object } = state.createSubscription({ created: daysAgoSeconds(90) });
  await reconcile();
  const poison = state.updateSubscription(object.id, { currency: 'euro' });
  state.subscriptions.put(object);
  state.completeCheckout({ created: daysAgoSeconds(2), mode: 'setup' });

  await expect(reconcile()).rejects.toThrow(`${poison.event.id}: subscription.currency: expected an ISO 4217 currency`);
  expect(await rows('SELECT status, count(*)::int FROM billing.webhook_events GROUP BY 1 ORDER BY 1')).toEqual([
    { status: 'failed', count: 1 },
    { status: 'processed', count: 1 },
  ]);
  expect(await reconcile()).toMatchObject({ status: 'complete', eventsMissed: 0 });
});

test('a page whose findings cannot be recorded corrects nothing and counts nothing', async () => {
  stripe().state.createSubscription({ created: daysAgoSeconds(90) });
  await client().query(
    `ALTER TABLE billing.reconciliation_findings ADD CONSTRAINT refused CHECK (kind <> 'missing_locally')`,
  );

  await expect(reconcile()).rejects.toThrow('violates check constraint "refused"');
  expect(await rows('SELECT id FROM billing.subscriptions')).toEqual([]);
  expect(
    await rows(
      'SELECT status, subscriptions_checked, drift_detected, corrected, progress FROM billing.reconciliation_runs',
    ),
  ).toEqual([
    {
      status: 'failed',
      subscriptions_checked: 0,
      drift_detected: 0,
      corrected: 0,
      // The last committed page ended the list of events.
      progress: expect.objectContaining({
        phase: 'subscriptions',
        lanes: [expect.not.objectContaining({ done: true })],
      }),
    },
  ]);
});

test('a second run at the same time is refused, and the next one continues the run that was killed', async () => {
  const killed = await database().client();
  const held = stripe().hold();
  const first = reconcile({}, { client: killed }).catch((error: unknown) => error);
  while ((await rows(`SELECT FROM billing.reconciliation_runs WHERE status = 'running'`)).length === 0);
  await expect(reconcile()).rejects.toMatchObject({ code: 'reconciliation_running' });

  await client().query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
  );
  held.release();
  expect(await first).toBeInstanceOf(Error);
  expect(await reconcile()).toMatchObject({ status: 'complete' });
  expect(await rows('SELECT status, error, invocations FROM billing.reconciliation_runs')).toEqual([
    { status: 'complete', error: null, invocations: 2 },
  ]);
});
