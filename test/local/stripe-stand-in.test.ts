import StripeClient from 'stripe';
import { createDeliverer, deliver, sign } from '../../local/stripe/delivery';
import { LIST_PARAMETERS, pageOf, Parameters } from '../../local/stripe/listing';
import { eventObject, nowSeconds, subscriptionObject } from '../../local/stripe/objects';
import { Collection } from '../../local/stripe/collection';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';

const API_KEY = 'rk_test_stand_in';
const DAY = 86_400;

let standIn: StripeStandIn;
let stripe: StripeClient;

beforeEach(async () => {
  standIn = await startStripeStandIn({ apiKey: API_KEY });
  stripe = new StripeClient(API_KEY, { host: '127.0.0.1', port: standIn.port, protocol: 'http', maxNetworkRetries: 0 });
});

afterEach(async () => {
  await standIn.stop();
});

/** GETs a path without the library, which would not send such requests. */
async function get(
  path: string,
  key: string | undefined = API_KEY,
): Promise<{ status: number; error: { code?: string } }> {
  const headers: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${standIn.url}${path}`, { headers });
  const body = (await response.json()) as { error: { code?: string } };
  return { status: response.status, error: body.error };
}

describe('the Stripe stand-in', () => {
  test('events are listed newest first, and within one second in reverse order of their creation', async () => {
    const atSeconds = nowSeconds();
    const first = standIn.state.createSubscription({ created: atSeconds });
    const second = standIn.state.updateSubscription(first.object.id, { status: 'past_due' }, { atSeconds });
    const older = standIn.state.createSubscription({ created: atSeconds - DAY });

    const { data } = await stripe.events.list();

    expect(data.map(({ id }) => id)).toEqual([second.event.id, first.event.id, older.event.id]);
  });

  test('the library pages through all objects exactly once', async () => {
    const created = Array.from({ length: 25 }, () => standIn.state.createSubscription().object.id);

    const listed = await stripe.subscriptions.list({ limit: 10 }).autoPagingToArray({ limit: 1000 });

    expect(listed.map(({ id }) => id).toSorted()).toEqual(created.toSorted());
    expect(standIn.requests).toHaveLength(3);
  });

  test('a page before a cursor contains the objects next to the cursor', async () => {
    const ids = Array.from({ length: 5 }, () => standIn.state.createSubscription({ created: 1_790_000_000 }).object.id);

    const page = await stripe.subscriptions.list({ ending_before: ids[0], limit: 2 });

    expect(page.data.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    expect(page.has_more).toBe(true);
  });

  test('canceled subscriptions are listed only with `status=all`', async () => {
    const { id } = standIn.state.createSubscription().object;
    standIn.state.cancelSubscription(id);

    const [usual, all] = [await stripe.subscriptions.list(), await stripe.subscriptions.list({ status: 'all' })];

    expect(usual.data).toEqual([]);
    expect(all.data.map((subscription) => subscription.status)).toEqual(['canceled']);
  });

  test('created bounds and types select events', async () => {
    const now = nowSeconds();
    const { object } = standIn.state.createSubscription({ created: now - 10 * DAY });
    const paid = standIn.state.payInvoice(object.id, { created: now - DAY });
    standIn.state.cancelSubscription(object.id, { atSeconds: now - DAY });

    const { data } = await stripe.events.list({
      types: ['invoice.payment_succeeded', 'customer.subscription.created'],
      created: { gte: now - 2 * DAY },
    });

    expect(data.map(({ id }) => id)).toEqual([paid.event.id]);
  });

  test('events older than 30 days are not listed', async () => {
    standIn.state.createSubscription({ created: nowSeconds() - 31 * DAY });

    expect((await stripe.events.list()).data).toEqual([]);
    expect((await stripe.subscriptions.list()).data).toHaveLength(1);
  });
});

describe('a collection', () => {
  test('keeps the order of creation when older objects are added later', () => {
    const collection = new Collection<{ id: string; created: number }>();
    for (const [id, created] of Object.entries({ b: 20, d: 30, a: 10, c: 20 })) collection.put({ id, created });

    expect(collection.newestFirst().map(({ id }) => id)).toEqual(['d', 'c', 'b', 'a']);
    expect([...collection.olderThan('c')].map(({ id }) => id)).toEqual(['b', 'a']);
    expect([...collection.olderThan(undefined, { from: 20, to: 25 })].map(({ id }) => id)).toEqual(['c', 'b']);
    expect([...collection.newerThan('a')].map(({ id }) => id)).toEqual(['b', 'c', 'd']);
  });

  test('pages 100,000 objects with about one access to each', () => {
    const count = 100_000;
    let accesses = 0;
    class Counting extends Collection<{ id: string; created: number }> {
      override require(id: string): { id: string; created: number } {
        accesses += 1;
        return super.require(id);
      }
    }
    const collection = new Counting();
    for (let index = 0; index < count; index += 1) collection.put({ id: `sub_${index}`, created: index >> 2 });
    accesses = 0;

    let listed = 0;
    let query = 'limit=100';
    for (;;) {
      const page = pageOf(collection, () => true, new Parameters(new URLSearchParams(query), LIST_PARAMETERS));
      listed += page.data.length;
      if (!page.has_more) break;
      query = `limit=100&starting_after=${page.data.at(-1)?.id}`;
    }

    expect(listed).toBe(count);
    // A cursor and the bounds take about 17 accesses each; sorting would take 1.7 million for each page.
    expect(accesses).toBeLessThan(2 * count);
  });
});

test('a refund is listed with its charge when the request expands it, and with the id otherwise', async () => {
  const charge = standIn.state.createCharge({ amount: 1000 });
  standIn.state.refundCharge(charge.object.id, 400);

  const [plain, expanded] = [await stripe.refunds.list(), await stripe.refunds.list({ expand: ['data.charge'] })];

  expect(plain.data[0]).toMatchObject({ amount: 400, charge: charge.object.id });
  expect(expanded.data[0]).toMatchObject({ charge: { id: charge.object.id, amount_refunded: 400 } });
  await expect(stripe.refunds.list({ expand: ['data.nothing'] })).rejects.toThrow(/cannot be expanded/);
});

describe('refusals', () => {
  test.each([
    ['an unknown parameter', '/v1/events?foo=1', 400, 'parameter_unknown'],
    ['a limit above 100', '/v1/events?limit=101', 400, 'parameter_invalid_integer'],
    ['an unknown cursor', '/v1/events?starting_after=evt_none', 400, 'resource_missing'],
    ['an unknown object', '/v1/subscriptions/sub_none', 404, 'resource_missing'],
    ['an unknown path', '/v1/nothing', 404, undefined],
  ])('%s is refused', async (_case, path, status, code) => {
    expect(await get(path)).toMatchObject({ status, error: code === undefined ? {} : { code } });
  });

  test.each([
    ['no', ''],
    ['another', 'sk_test_other'],
  ])('a request with %s key is answered 401', async (_case, key) => {
    expect((await get('/v1/events', key)).status).toBe(401);
  });
});

test('requested failures are answered in order, and the next request is served', async () => {
  standIn.failNext(1, 429);
  standIn.failNext(1, 500);

  const statuses = [await get('/v1/events'), await get('/v1/events'), await get('/v1/events')].map(
    ({ status }) => status,
  );

  expect(statuses).toEqual([429, 500, 200]);
});

test('an event keeps the state that its object had at the time', () => {
  const { object, event } = standIn.state.createSubscription();
  standIn.state.updateSubscription(object.id, { status: 'past_due' });

  expect(event.data.object).toMatchObject({ status: 'active' });
});

test('a refund above the charge is refused', () => {
  const { object } = standIn.state.completeCheckout({ amount_total: 1000 });
  const { id } = standIn.state.chargeOf(object);

  expect(() => standIn.state.refundCharge(id, 1001)).toThrow(RangeError);
  expect(standIn.state.refundCharge(id, 400).object).toMatchObject({ amount_refunded: 400, refunded: false });
});

test('the official library accepts the signature of a delivery', () => {
  const body = JSON.stringify(eventObject('customer.subscription.created', subscriptionObject()));

  const event = stripe.webhooks.constructEvent(body, sign(body, 'whsec_right'), 'whsec_right');

  expect(event.type).toBe('customer.subscription.created');
  expect(() => stripe.webhooks.constructEvent(body, sign(body, 'whsec_wrong'), 'whsec_right')).toThrow(/signature/i);
});

test('a delivery returns the answer of the endpoint', async () => {
  const event = eventObject('charge.refunded', {});

  const result = await deliver(event, { url: `${standIn.url}/endpoint`, secret: 'whsec_any' });

  expect(result).toMatchObject({ status: 401, body: expect.stringContaining('API') });
});

test('a requested rate limit carries Retry-After', async () => {
  standIn.failNext(1, 429, 7);

  await expect(stripe.events.list()).rejects.toMatchObject({ statusCode: 429, headers: { 'retry-after': '7' } });
});

test('dropped deliveries never reach the endpoint, and the others do', async () => {
  const deliverer = createDeliverer({ url: `${standIn.url}/endpoint`, secret: 'whsec_any' });
  const events = [1, 2, 3, 4].map(() => standIn.state.createSubscription().event);
  deliverer.dropNext(1);
  deliverer.dropWhen(({ id }) => id === events[2]?.id);

  const results = [];
  for (const event of events) results.push(await deliverer.send(event));

  expect(results.map((result) => result?.status)).toEqual([undefined, 401, undefined, 401]);
  expect(deliverer.dropped).toEqual([events[0], events[2]]);
  expect(standIn.requests).toHaveLength(2);
});
