import { pacedCaller, type CallStripe } from '../../../core/providers/stripe/paced-caller';
import type { StripeWork } from '../../../core/providers/stripe/stripe-function';
import type { RefreshReport } from '../../../lambdas/refresh/contract';
import { refresh, type RefreshOptions } from '../../../lambdas/refresh/core';
import { dueRefreshes } from '../../../lambdas/refresh/pending';
import { nestedList, subscriptionItemObject } from '../../../local/stripe/objects';
import { waitUntil } from '../../../local/pass/check';
import { unpacedCaller } from '../../factories/stripe-work';
import { silentLog } from '../../support/log';
import { daysAgoSeconds, nowSeconds, useStripeAndDatabase } from '../../support/stripe';

const { stripe, database, client, rows, deliver, work } = useStripeAndDatabase();

function run(options: Partial<RefreshOptions> = {}, overrides: Partial<StripeWork> = {}): Promise<RefreshReport> {
  return refresh({ ...work(overrides), log: silentLog }, { dryRun: false, ...options });
}

/** Asks for an object to be read again, as the transaction does that notices the need. */
async function request(id: string, kind = 'subscription', minutesAgo = 0): Promise<void> {
  await client().query(
    `INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason, requested_at)
     VALUES ('stripe', $1, $2, 'test', now() - make_interval(mins => $3))`,
    [kind, id, minutesAgo],
  );
}
const requests = () =>
  rows(
    `SELECT object_id AS id, attempts, last_error, done_at IS NOT NULL AS done
     FROM billing.object_refreshes AS requested ORDER BY requested.id`,
  );
const statuses = () => rows('SELECT id, status FROM billing.subscriptions ORDER BY id');

/** A subscription that is stored as `active`, and has another status at Stripe by now. */
async function outdated(status: 'past_due' | 'canceled' = 'past_due'): Promise<string> {
  const made = stripe().state.createSubscription({ status: 'active', created: daysAgoSeconds(1) });
  await deliver(made);
  stripe().state.updateSubscription(made.object.id, { status });
  return made.object.id;
}

test('an object whose refresh is pending is stored as Stripe has it, once', async () => {
  const id = await outdated();
  await request(id);

  expect(await run()).toMatchObject({
    outcomes: { refreshed: 1 },
    objects: [{ id, kind: 'subscription', outcome: 'refreshed' }],
    pending: 0,
  });
  expect(await statuses()).toEqual([{ id, status: 'past_due' }]);
  expect(await requests()).toEqual([{ id, attempts: 1, last_error: null, done: true }]);
  const calls = stripe().requests.length;
  await client().query('DELETE FROM billing.job_successes');
  await run({ dryRun: true });
  expect(await rows('SELECT job FROM billing.job_successes')).toEqual([]);
  expect(await run()).toMatchObject({ outcomes: {}, objects: [] });
  expect(stripe().requests).toHaveLength(calls);
  expect(await rows('SELECT job FROM billing.job_successes')).toEqual([{ job: 'refresh' }]);
});

test('objects are read in the order in which their refreshes were requested', async () => {
  const ids = [await outdated(), await outdated(), await outdated()];
  for (const id of ids.toReversed()) await request(id);

  const due = await dueRefreshes(client(), { now: new Date(Date.now() + 1000), afterId: '0', limit: 2 });

  expect(due.map(({ objectId }) => objectId)).toEqual(ids.toReversed().slice(0, 2));
});

test('a subscription of more than ten items loses those that Stripe does not have any more', async () => {
  const items = Array.from({ length: 13 }, () => subscriptionItemObject('sub_1'));
  const list = (data: typeof items) => nestedList('/v1/subscription_items', data);
  const made = stripe().state.createSubscription({ items: list(items), created: daysAgoSeconds(1) });
  await deliver(made);
  stripe().state.updateSubscription(made.object.id, { items: list(items.slice(0, 11)) });
  await request(made.object.id);

  expect(await run()).toMatchObject({ outcomes: { refreshed: 1 } });
  expect(await rows('SELECT count(*)::int FROM billing.subscription_items')).toEqual([{ count: 11 }]);
});

test.each([
  ['of the second of its request', 0, 'later'],
  ['of later than its request', 5, 'later'],
  ['of before its request', -1, 'refreshed'],
])('a refresh waits for the next run while an event %s is stored', async (_when, seconds, outcome) => {
  const requestedAtSeconds = nowSeconds();
  const made = stripe().state.createSubscription({ status: 'active', created: requestedAtSeconds + seconds });
  await deliver(made);
  await request(made.object.id);
  const plain = unpacedCaller();
  const call: CallStripe = async (send) => ({ ...(await plain(send)), requestedAtSeconds });

  expect(await run({}, { call })).toMatchObject({ outcomes: { [outcome]: 1 }, pending: outcome === 'later' ? 1 : 0 });
});

test('a refresh of an object that a test clock has put into the future is done without effect', async () => {
  const made = stripe().state.createSubscription({ status: 'active', created: nowSeconds() + 400 * 86_400 });
  await deliver(made);
  await request(made.object.id);

  expect(await run()).toMatchObject({ outcomes: { unchanged: 1 }, pending: 0 });
});

test('an object that Stripe does not have is done, and stays as it is', async () => {
  const id = await outdated();
  await request('sub_deleted');
  await request('cus_unknown', 'customer');

  expect(await run()).toMatchObject({ outcomes: { missing: 2 }, pending: 0 });
  expect(await statuses()).toEqual([{ id, status: 'active' }]);
  expect(await requests()).toMatchObject([
    { id: 'sub_deleted', last_error: 'Stripe does not have the object', done: true },
    { id: 'cus_unknown', done: true },
  ]);
});

test('an object that cannot be read is tried again after one, three and seven minutes, and never delays the others', async () => {
  const [broken, sound] = [await outdated(), await outdated()];
  stripe().state.subscriptions.put({ ...stripe().state.subscriptions.require(broken), currency: 'euro' });
  await request(broken);
  await request(sound);
  const attempted = async (minutes: number) => {
    const clock = () => new Date(Date.now() + minutes * 60_000);
    return (await run({}, { clock })).outcomes;
  };

  expect(await attempted(0)).toEqual({ failed: 1, refreshed: 1 });
  expect(await requests()).toEqual([
    {
      id: broken,
      attempts: 1,
      last_error: 'subscription.currency: expected an ISO 4217 currency',
      done: false,
    },
    { id: sound, attempts: 1, last_error: null, done: true },
  ]);
  expect(await attempted(0.9)).toEqual({});
  expect(await attempted(1.1)).toEqual({ failed: 1 });
  expect(await attempted(2.9)).toEqual({});
  expect(await attempted(3.1)).toEqual({ failed: 1 });
  expect(await attempted(6.9)).toEqual({});
  stripe().state.subscriptions.put({ ...stripe().state.subscriptions.require(broken), currency: 'usd' });
  expect(await attempted(7.1)).toEqual({ refreshed: 1 });
});

test('a request that Stripe refuses fails for its object alone', async () => {
  const id = await outdated();
  await request('nothing_1', 'coupon');
  await request(id);
  stripe().failNext(1, 500);

  const first = await run({}, { call: pacedCaller({ callsPerSecond: 1_000, maxAttempts: 1 }) });

  expect(first.outcomes).toEqual({ failed: 2 });
  expect((await requests()).map(({ last_error }) => last_error)).toEqual([
    'Stripe is not asked for objects of kind coupon',
    expect.stringMatching(/^Stripe did not answer in 1 attempts/),
  ]);
});

test('a refresh that is requested again while its object is read stays pending', async () => {
  const id = await outdated();
  await request(id);
  const other = await database().client();
  const call = unpacedCaller();

  const report = await run(
    {},
    {
      call: async (send) => {
        const answer = await call(send);
        await other.query('UPDATE billing.object_refreshes SET requests = requests + 1');
        return answer;
      },
    },
  );

  expect(report).toMatchObject({ outcomes: { refreshed: 1 }, pending: 1 });
  expect(await requests()).toMatchObject([{ done: false }]);
});

test('when the time is up, requests without an answer count as failed and the others are left to the next run', async () => {
  const ids = [];
  for (let n = 0; n < 7; n += 1) ids.push(await outdated());
  for (const id of ids) await request(id);
  const held = stripe().hold();
  const time = new AbortController();

  const running = run({}, { stop: time.signal });
  await waitUntil(async () => (held.arrived() === 5 ? undefined : 'not all are asked'), 10_000);
  time.abort();
  const report = await running;
  held.release();

  expect(report).toMatchObject({ outcomes: { failed: 5 }, pending: 7 });
  expect((await requests()).map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1, 1, 0, 0]);
  expect(await requests()).toContainEqual(
    expect.objectContaining({ last_error: 'Stripe did not answer within the time of the run' }),
  );
});

describe('a named object', () => {
  test('is read although no refresh of it is pending', async () => {
    const id = await outdated('canceled');

    expect(await run({ object: id })).toMatchObject({ objects: [{ id, outcome: 'refreshed' }], pending: 0 });
    expect(await statuses()).toEqual([{ id, status: 'canceled' }]);
  });

  test('settles its pending refresh, due or not, and no other', async () => {
    const [named, other] = [await outdated(), await outdated()];
    await request(named);
    await request(other);
    await client().query('UPDATE billing.object_refreshes SET attempts = 9');

    expect(await run({ object: named })).toMatchObject({ outcomes: { refreshed: 1 }, pending: 1 });
    expect(await requests()).toMatchObject([
      { id: named, done: true },
      { id: other, done: false },
    ]);
  });

  test.each(['price_1', 'sub1', 'evt_1', 'constructor_1'])('with the id %s is refused', async (object) => {
    await expect(run({ object })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^object: expected an id that begins with one of sub_, in_, .*, not `/),
    });
  });
});

test('a dry run says what it would store, and changes nothing', async () => {
  const id = await outdated();
  await request(id);
  await request('sub_deleted');

  expect(await run({ dryRun: true })).toMatchObject({ outcomes: { refreshed: 1, missing: 1 }, pending: 2 });
  expect(await run({ dryRun: true, object: id })).toMatchObject({ outcomes: { refreshed: 1 }, pending: 2 });
  expect(await statuses()).toEqual([{ id, status: 'active' }]);
  expect(await requests()).toMatchObject([
    { attempts: 0, done: false },
    { attempts: 0, done: false },
  ]);
});
