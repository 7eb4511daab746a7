import { subscriptionItemObject } from '../../../local/stripe/objects';
import { READ_ONE_BY_ONE } from '../../../lambdas/reconciliation/one-by-one';
import { daysAgoSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, deliver, reconcile, rows, stripe } = useStripeAndDatabase();

const clockDaysAgo = (days: number) => ({ clock: () => new Date(daysAgoSeconds(days) * 1_000) });
const callsOf = (path: string) => stripe().requests.filter((request) => request.path.startsWith(path)).length;

describe('what is older than the window', () => {
  test('an open invoice that was paid is read by its id and corrected', async () => {
    const { state } = stripe();
    const subscription = state.createSubscription({ created: daysAgoSeconds(60) });
    const failed = state.failInvoice(subscription.object.id, { created: daysAgoSeconds(45) });
    await deliver(subscription, failed);
    state.invoices.put({ ...failed.object, id: failed.object.id ?? '', status: 'paid', amount_paid: 2_900 });

    expect(await reconcile()).toMatchObject({ corrected: 1, kinds: { invoice: { checked: 1, drift: 1 } } });
    expect(await rows('SELECT status, amount_paid::int FROM billing.invoices')).toEqual([
      { status: 'paid', amount_paid: 2_900 },
    ]);
    expect(await reconcile()).toMatchObject({ drift_detected: 0 });
  });

  test('an open invoice whose payment only the invoice itself names is no drift', async () => {
    const { state } = stripe();
    const subscription = state.createSubscription({ created: daysAgoSeconds(60) });
    const failed = state.failInvoice(subscription.object.id, { created: daysAgoSeconds(45) });
    state.recordInvoicePayment({ invoice: failed.object.id ?? '', created: daysAgoSeconds(45), status: 'open' });
    await deliver(subscription, failed);

    expect(await reconcile()).toMatchObject({ drift_detected: 0, kinds: { invoice: { checked: 1, drift: 0 } } });
  });

  test('a dispute that was lost is read by its id and corrected', async () => {
    const { state } = stripe();
    const opened = state.openDispute({ created: daysAgoSeconds(40) });
    await deliver(opened);
    state.disputes.put({ ...opened.object, status: 'lost' });

    expect(await reconcile()).toMatchObject({ corrected: 1, kinds: { dispute: { checked: 1, drift: 1 } } });
    expect(await rows('SELECT status FROM billing.disputes')).toEqual([{ status: 'lost' }]);
  });

  test('an object that is settled has its turn when its part of the history has', async () => {
    const { state } = stripe();
    await reconcile({}, clockDaysAgo(28));
    await reconcile({}, clockDaysAgo(13));
    const succeeded = state.createPaymentIntent({ created: daysAgoSeconds(20) });
    await deliver(succeeded);
    await client().query(`UPDATE billing.payment_intents SET amount = 1`);
    let corrected = 0;
    for (let day = 3; day >= 0; day -= 1) corrected += (await reconcile({}, clockDaysAgo(day))).corrected;

    expect(corrected).toBe(1);
    expect(await rows('SELECT amount::int FROM billing.payment_intents')).toEqual([{ amount: 4_900 }]);
  });

  test('a hundred objects of a kind are read by their ids, and the others in the next run', async () => {
    const { state } = stripe();
    const opened = Array.from({ length: READ_ONE_BY_ONE + 20 }, () =>
      state.openDispute({ created: daysAgoSeconds(40) }),
    );
    await deliver(...opened);

    expect(await reconcile()).toMatchObject({ drift_detected: 0 });
    expect(callsOf('/v1/disputes/')).toBe(READ_ONE_BY_ONE);

    await reconcile();
    const read = stripe().requests.filter(({ path }) => path.startsWith('/v1/disputes/'));
    expect(new Set(read.map(({ path }) => path)).size).toBe(READ_ONE_BY_ONE + 20);
  });
});

describe('an invoice', () => {
  const line = (amount: number, id: string) => ({
    id,
    object: 'line_item',
    amount,
    period: { start: daysAgoSeconds(1), end: daysAgoSeconds(-29) },
    pricing: { type: 'price_details', price_details: { price: 'price_pro', product: 'prod_pro' } },
    parent: { type: 'subscription_item_details', subscription_item_details: { subscription_item: 'si_1' } },
  });
  const linesOf = (count: number) =>
    ({
      object: 'list',
      has_more: false,
      data: Array.from({ length: count }, (_, index) => line(100, `il_${index}`)),
    }) as never;

  test.each([
    ['lines', `raw || '{"lines": {"data": []}}'`],
    ['due_date', `raw || '{"due_date": 1800000000}'`],
    ['finalized_at', `raw #- '{status_transitions,finalized_at}'`],
  ])('whose %s differ only within the stored object is corrected', async (field, damage) => {
    const { state } = stripe();
    const { object, event } = state.createSubscription({ created: daysAgoSeconds(20) });
    await deliver({ event }, state.payInvoice(object.id, { created: daysAgoSeconds(1), lines: linesOf(2) }));
    await client().query(`UPDATE billing.invoices SET raw = ${damage}`);

    expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
    expect(await rows('SELECT object_type, field FROM billing.reconciliation_findings')).toEqual([
      { object_type: 'invoice', field },
    ]);
    expect(await reconcile()).toMatchObject({ drift_detected: 0 });
  });

  test('of more lines than a list carries is stored with all of them', async () => {
    const { state } = stripe();
    const { object, event } = state.createSubscription({ created: daysAgoSeconds(20) });
    await deliver({ event }, state.payInvoice(object.id, { created: daysAgoSeconds(1), lines: linesOf(14) }));
    expect(await reconcile()).toMatchObject({ drift_detected: 0 });
    await client().query(`UPDATE billing.invoices SET status = 'open'`);

    expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
    expect(await rows(`SELECT jsonb_array_length(raw #> '{lines,data}') AS lines FROM billing.invoices`)).toEqual([
      { lines: 14 },
    ]);
    expect(await reconcile()).toMatchObject({ drift_detected: 0 });
  });

  test('keeps the payment that an older API version named', async () => {
    const { state } = stripe();
    const { object, event } = state.createSubscription({ created: daysAgoSeconds(20) });
    await deliver({ event }, state.payInvoice(object.id, { created: daysAgoSeconds(1) }));
    await client().query(`UPDATE billing.invoices SET payment_intent_id = 'pi_told', status = 'open'`);

    expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
    expect(await rows('SELECT status, payment_intent_id FROM billing.invoices')).toEqual([
      { status: 'paid', payment_intent_id: 'pi_told' },
    ]);
  });
});

describe('what belongs to a test clock', () => {
  test('is listed by its clock and is no drift', async () => {
    const { state } = stripe();
    const clock = state.createTestClock();
    const customer = state.createCustomer({ created: daysAgoSeconds(2), test_clock: clock });
    const subscription = state.createSubscription({
      created: daysAgoSeconds(2),
      customer: customer.object.id,
      test_clock: clock,
    });
    const paid = state.payInvoice(subscription.object.id, { created: daysAgoSeconds(2) });
    await deliver(customer, subscription, paid);

    expect(await reconcile()).toMatchObject({ drift_detected: 0, errors: 0, subscriptions_checked: 1 });
    expect(stripe().requests.some(({ query }) => query.includes(`test_clock=${clock}`))).toBe(true);
  });

  test('is corrected', async () => {
    const { state } = stripe();
    const clock = state.createTestClock();
    const { object, event } = state.createSubscription({ created: daysAgoSeconds(30), test_clock: clock });
    await deliver({ event });
    state.subscriptions.put({ ...object, status: 'past_due' });

    expect(await reconcile()).toMatchObject({ drift_detected: 1, corrected: 1 });
    expect(await rows('SELECT status FROM billing.subscriptions')).toEqual([{ status: 'past_due' }]);
  });

  test('is not missed once its clock is deleted', async () => {
    const { state } = stripe();
    const clock = state.createTestClock();
    const subscription = state.createSubscription({ created: daysAgoSeconds(30), test_clock: clock });
    await deliver(subscription);
    state.deleteTestClock(clock);

    expect(await reconcile()).toMatchObject({ status: 'complete', drift_detected: 0 });
  });
});

test('a subscription of more items than a list carries, read by its clock, keeps all of them', async () => {
  const { state } = stripe();
  const clock = state.createTestClock();
  const { object, event } = state.createSubscription({ created: daysAgoSeconds(30), test_clock: clock });
  await deliver({ event });
  const data = Array.from({ length: 12 }, () => subscriptionItemObject(object.id, { created: daysAgoSeconds(30) }));
  state.subscriptions.put({ ...object, items: { ...object.items, data } });

  expect(await reconcile()).toMatchObject({ corrected: 1 });
  expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 12 }]);
});

test('the calls of a run over an empty account are one for each list', async () => {
  await reconcile();

  // Events in three parts, ten lists; accounts and test clocks only where there are any.
  expect(stripe().requests).toHaveLength(3 + 10);
});
