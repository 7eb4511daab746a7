import type { Client } from 'pg';
import { INSPECTIONS, type InspectionRequest } from '../../../lambdas/inspect/contract';
import { readActivity } from '../../../lambdas/inspect/activity';
import { listEvents, readEvent } from '../../../lambdas/inspect/events';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** Whole hours, so that the buckets are known. */
const NOW = new Date('2026-11-21T12:30:00Z');
let billing: TestDatabase;
let client: Client;

beforeAll(async () => {
  billing = await createTestDatabase('billing');
  client = await billing.client();
  await client.query(
    `INSERT INTO billing.customers (id, first_seen_at, version, raw) VALUES ('cus_1', now(), '', '{}');
     INSERT INTO billing.subscriptions (id, customer_id, app_id, status, currency, cancel_at_period_end, created_at, version, raw)
       VALUES ('sub_1', 'cus_1', 'academy', 'active', 'usd', false, now(),
         '0000000000000000:0000000000000001:0000000000000001:evt_3', '{}');
     INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from)
       VALUES ('ada', 'project-1', 'videos', 'subscription', 'sub_1', now());`,
  );
  const event = (id: string, minutesAgo: number, objectId: string, object: object, status = 'processed', data = {}) =>
    client.query(
      `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at,
         processed_at, object_id, payload)
       VALUES ($1, 'some.event', false, 'webhook', $2, 1, CASE WHEN $2 = 'failed' THEN 'why' END, $3, $3,
         CASE WHEN $2 = 'processed' THEN $3::timestamptz + interval '2 seconds' END, $4, $5)`,
      [
        id,
        status,
        new Date(NOW.getTime() - minutesAgo * 60_000),
        objectId,
        { data: { object: { id: objectId, ...object }, ...data } },
      ],
    );
  await event('evt_1', 95, 'cus_1', {});
  await event('evt_2', 40, 'in_1', { customer: 'cus_1', parent: { subscription_details: { subscription: 'sub_1' } } });
  await event('evt_3', 10, 'sub_1', { customer: { id: 'cus_1' } }, 'processed', { previous_attributes: { status: 1 } });
  await event('evt_4', 10, 'ch_2', { customer: 'cus_2', metadata: { app_id: 'shop' } }, 'failed');
  await event('evt_5', 10, 'ch_3', { customer: 'cus_2' }, 'received');
});
afterAll(() => billing.drop());

const list = (filter: Partial<InspectionRequest<'events'>> = {}) =>
  listEvents(client, INSPECTIONS.events.request.parse({ action: 'events', ...filter }));
const idsOf = ({ events }: Awaited<ReturnType<typeof list>>) => events.map(({ id }) => id);

test('events are found by their id, their object, their customer and their subscription', async () => {
  expect(idsOf(await list({ about: 'cus_1' }))).toEqual(['evt_3', 'evt_2', 'evt_1']);
  expect(idsOf(await list({ about: 'sub_1' }))).toEqual(['evt_3', 'evt_2']);
  expect(idsOf(await list({ about: 'in_1' }))).toEqual(['evt_2']);
  expect(idsOf(await list({ about: 'evt_4' }))).toEqual(['evt_4']);
  expect(await list({ about: "' OR true --" })).toEqual({ action: 'events', events: [], next: null });
});

test('pages hold each event once, also where several happened in one second', async () => {
  const seen: string[] = [];
  let before: string | undefined;
  for (let page = 0; page < 10; page += 1) {
    const report = await list({ limit: 1, ...(before === undefined ? {} : { before }) });
    seen.push(...idsOf(report));
    if (report.next === null) break;
    before = report.next;
  }
  expect(seen).toEqual(['evt_3', 'evt_4', 'evt_5', 'evt_2', 'evt_1']);
});

test.each([
  [{ status: 'dismissed' }],
  [{ status: 'ignored' }],
  [{ type: 'rare.event' }],
  [{ since: '2026-11-21T12:29:00Z' }],
] as const)('a request for %j looks through so many events at most, and says where to continue', async (filter) => {
  const ask = (before?: string) => {
    const request = { action: 'events', ...filter, ...(before === undefined ? {} : { before }) };
    return listEvents(client, INSPECTIONS.events.request.parse(request), 3);
  };
  const first = await ask();
  expect([first.events, first.next]).toEqual([[], expect.stringMatching(/\.evt_5$/)]);
  expect(await ask(first.next ?? '')).toEqual({ action: 'events', events: [], next: null });
});

test('an event names its customer, its subscription and its app', async () => {
  const { events } = await list();
  const of = (id: string) => events.find((event) => event.id === id);
  expect(of('evt_2')).toMatchObject({ customerId: 'cus_1', subscriptionId: 'sub_1', appId: 'academy' });
  expect(of('evt_4')).toMatchObject({ customerId: 'cus_2', subscriptionId: null, appId: 'shop' });
});

test('events of Tilled have their customer, subscription and app, and are found by ids as Tilled writes them', async () => {
  await client.query(
    `BEGIN;
     INSERT INTO billing.customers (id, first_seen_at, version, raw) VALUES ('tilled:cus_9', now(), '', '{}');
     INSERT INTO billing.subscriptions (id, customer_id, app_id, status, currency, cancel_at_period_end, created_at, version, raw)
       VALUES ('tilled:sub_9', 'tilled:cus_9', 'gym', 'active', 'usd', false, now(), '', '{}')`,
  );
  const insert = (id: string, type: string, objectId: string, data: object) =>
    client.query(
      `INSERT INTO billing.webhook_events (provider, id, type, livemode, source, status, attempts, occurred_at, received_at,
         processed_at, object_id, payload)
       VALUES ('tilled', $1, $2, true, 'webhook', 'processed', 1, $3, $3, $3, $4, $5)`,
      [id, type, NOW, objectId, { id, account_id: 'acct_1', type, data }],
    );
  await insert('evt_8', 'subscription.updated', 'tilled:sub_9', { id: 'sub_9', customer_id: 'cus_9' });
  await insert('evt_9', 'payment_intent.succeeded', 'tilled:pi_9', {
    id: 'pi_9',
    customer: { id: 'cus_9' },
    subscription_id: 'sub_9',
  });
  await insert('evt_10', 'payment_intent.succeeded', 'tilled:pi_10', { id: 'pi_10', metadata: { app_id: 'shop' } });
  const named = (await list()).events.filter(({ provider }) => provider === 'tilled');
  const found = await Promise.all(
    ['cus_9', 'tilled:cus_9', 'sub_9', 'pi_9', 'tilled:evt_9', 'tilled:evt_1'].map(async (about) =>
      idsOf(await list({ about })),
    ),
  );
  await client.query('ROLLBACK');
  expect(named.map(({ id, customerId, subscriptionId, appId }) => [id, customerId, subscriptionId, appId])).toEqual([
    ['evt_10', null, null, 'shop'],
    ['evt_8', 'tilled:cus_9', 'tilled:sub_9', 'gym'],
    ['evt_9', 'tilled:cus_9', 'tilled:sub_9', 'gym'],
  ]);
  expect(found).toEqual([['evt_8', 'evt_9'], ['evt_8', 'evt_9'], ['evt_8', 'evt_9'], ['evt_9'], ['evt_9'], []]);
});

test('an event tells what it changed, and whether a newer one has replaced that', async () => {
  const show = async (id: string) => (await readEvent(client, { action: 'event', id, payload: false })).event;
  expect(await show('evt_3')).toMatchObject({
    changedFields: ['status'],
    objects: [{ kind: 'subscription', id: 'sub_1', status: 'active', isOfThisEvent: true, originEvents: ['evt_3'] }],
    entitlements: [{ userId: 'ada', projectId: 'project-1', feature: 'videos', validUntil: null }],
  });
  expect(await show('evt_1')).toMatchObject({
    changedFields: null,
    objects: [{ kind: 'customer', isOfThisEvent: false }],
  });
  expect(await show('evt_4')).toMatchObject({ objects: [], entitlements: [] });
});

test('activity counts the events of each hour by what became of them', async () => {
  const report = INSPECTIONS.activity.report.parse(await readActivity(client, { action: 'activity', days: 7 }, NOW));
  expect(report.hours).toEqual([
    { hour: '2026-11-21T10:00:00.000Z', settled: 1, failed: 0, open: 0 },
    { hour: '2026-11-21T11:00:00.000Z', settled: 1, failed: 0, open: 0 },
    { hour: '2026-11-21T12:00:00.000Z', settled: 1, failed: 1, open: 1 },
  ]);
  expect(report.lag).toEqual({ p95Seconds: 2, oldestOpenSeconds: 600 });
});

test('activity says of each provider what came in a day, and what failed, is parked or waits, of any age', async () => {
  await client.query(
    `BEGIN;
     UPDATE billing.webhook_events SET provider = 'tilled' WHERE id IN ('evt_1', 'evt_4');
     UPDATE billing.webhook_events SET attempts = 3 WHERE id = 'evt_4';
     INSERT INTO billing.webhook_events (provider, id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
     SELECT 'tilled', 'evt_old_' || status, 'some.event', false, 'webhook', status, 2, 'why', at, at, '{}'
     FROM (VALUES ('failed', '2026-11-20T11:00:00Z'::timestamptz), ('received', '2026-11-20T12:00:00Z')) AS old (status, at)`,
  );
  const { providers } = await readActivity(client, { action: 'activity', days: 7 }, NOW);
  await client.query('ROLLBACK');
  expect(providers).toEqual([
    {
      provider: 'stripe',
      received: 3,
      settled: 2,
      failed: 0,
      parked: 0,
      waiting: 1,
      p95Seconds: 2,
      oldestOpenSeconds: 600,
      newestAt: '2026-11-21T12:20:00.000Z',
    },
    {
      provider: 'tilled',
      received: 2,
      settled: 1,
      failed: 2,
      parked: 1,
      waiting: 1,
      p95Seconds: null,
      oldestOpenSeconds: 88_200,
      newestAt: '2026-11-21T12:20:00.000Z',
    },
  ]);
});

test('activity leaves out the canary and what is older, and takes the lag of the last hour and the oldest open event', async () => {
  const insert = `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, occurred_at, received_at, processed_at,
      dismissed_by, dismissal_reason, payload)
    SELECT 'evt_' || $1 || n, $2, false, 'webhook', $3, 1, at, at, CASE WHEN $3 IN ('processed', 'ignored', 'dismissed') THEN at + n * interval '1 second' END,
      CASE WHEN $3 = 'dismissed' THEN 'ann' END, CASE WHEN $3 = 'dismissed' THEN 'why' END, '{}'
    FROM generate_series($5::int, $6::int) AS n, LATERAL (SELECT $4::timestamptz AS at) AS event`;
  const add = (id: string, status: string, minutesAgo: number, [from, to] = [1, 1], type = 'some.event') =>
    client.query(insert, [id, type, status, new Date(NOW.getTime() - minutesAgo * 60_000), from, to]);
  await client.query('BEGIN; DELETE FROM billing.webhook_events');
  await add('processed', 'processed', 10, [1, 20]);
  await add('slow', 'processed', 200, [500, 600]);
  await add('dismissed', 'dismissed', 10, [100, 100]);
  await add('ignored', 'ignored', 10, [100, 100]);
  await add('received', 'received', 20);
  await add('processing', 'processing', 25);
  await add('canary', 'ignored', 5, [1, 1], 'billing_operations.canary');
  await add('old', 'processed', 8 * 24 * 60);
  const { hours, lag, providers } = await readActivity(client, { action: 'activity', days: 7 }, NOW);
  await client.query('ROLLBACK');
  expect(hours).toEqual([
    { hour: '2026-11-21T09:00:00.000Z', settled: 101, failed: 0, open: 0 },
    { hour: '2026-11-21T12:00:00.000Z', settled: 22, failed: 0, open: 2 },
  ]);
  expect(lag).toEqual({ p95Seconds: 19, oldestOpenSeconds: 1_500 });
  expect(providers[0]).toEqual({
    provider: 'stripe',
    received: 125,
    settled: 123,
    failed: 0,
    parked: 0,
    waiting: 2,
    ...lag,
    newestAt: '2026-11-21T12:20:00.000Z',
  });
});
