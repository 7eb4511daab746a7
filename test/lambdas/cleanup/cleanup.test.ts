import type { Client } from 'pg';
import { cleanUp } from '../../../lambdas/cleanup/core';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

const NOW = new Date('2026-11-21T12:00:00Z');
const RETENTION_DAYS = 90;

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterEach(() => database.drop());

/** Events that occurred, and unless they failed were processed, the given number of days ago. */
async function record(prefix: string, count: number, occurredDaysAgo: number, processedDaysAgo: number | null) {
  await client.query(
    `INSERT INTO billing.webhook_events
       (id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, payload)
     SELECT $1 || n, 'invoice.paid', false, 'webhook', CASE WHEN $5::int IS NULL THEN 'failed' ELSE 'processed' END, 1,
       CASE WHEN $5::int IS NULL THEN 'why' END, $3::timestamptz - make_interval(days => $4), $3::timestamptz,
       $3::timestamptz - make_interval(days => $5), '{}'
     FROM generate_series(1, $2) AS n`,
    [prefix, count, NOW, occurredDaysAgo, processedDaysAgo],
  );
}
async function left(): Promise<Record<string, number>> {
  const { rows } = await client.query<{ prefix: string; events: number }>(
    `SELECT rtrim(id, '0123456789') AS prefix, count(*)::int AS events FROM billing.webhook_events GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ prefix, events }) => [prefix, events]));
}
const run = (options: { dryRun?: boolean; remainingMs?: () => number } = {}) =>
  cleanUp(
    { client, clock: () => NOW, remainingMs: options.remainingMs ?? (() => 60_000), log: silentLog },
    { retentionDays: RETENTION_DAYS, dryRun: options.dryRun ?? false },
  );

test('a run deletes processed events older than the retention, and keeps failed, recent and recently replayed ones', async () => {
  await record('old', 5, RETENTION_DAYS + 1, RETENTION_DAYS + 1);
  await record('failed', 3, 400, null);
  await record('recent', 4, RETENTION_DAYS - 1, RETENTION_DAYS - 1);
  await record('replayed', 2, 400, 1);

  expect(await run()).toMatchObject({ deleted: 5, complete: true, before: '2026-08-23T12:00:00.000Z' });
  expect(await left()).toEqual({ failed: 3, recent: 4, replayed: 2 });
  expect(await run()).toMatchObject({ deleted: 0, complete: true });
});

test('a run deletes ignored and dismissed events as it does processed ones', async () => {
  await record('ignored', 2, 100, 100);
  await record('dismissed', 3, 100, 100);
  await client.query(`
    UPDATE billing.webhook_events SET status = 'ignored' WHERE id LIKE 'ignored%';
    UPDATE billing.webhook_events SET status = 'dismissed', dismissed_by = 'ada', dismissal_reason = 'junk'
    WHERE id LIKE 'dismissed%'`);

  expect(await run()).toMatchObject({ deleted: 5 });
});

test("a run deletes the canary's events after a week, whatever became of them, and nothing else so early", async () => {
  await record('evt_canary_2026', 3, 8, 8);
  await record('evt_canary_late_2026', 2, 8, 8);
  await record('evt_canary_9', 4, 6, 6);
  await record('evt_canary_1', 1, 8, null);
  await client.query("UPDATE billing.webhook_events SET type = 'billing_operations.canary' WHERE id NOT LIKE '%late%'");
  await record('evt_2026', 5, 8, 8);

  expect(await run({ dryRun: true })).toMatchObject({ deleted: 0 });
  expect(await run()).toMatchObject({ deleted: 0 });
  expect(await left()).toEqual({ evt_canary_: 4, evt_canary_late_: 2, evt_: 5 });
});

test('a run deletes more events than one batch holds', async () => {
  await record('old', 2_500, 200, 200);

  expect(await run()).toMatchObject({ deleted: 2_500, complete: true });
  expect(await left()).toEqual({});
});

test('a dry run counts the old events and deletes none', async () => {
  await record('old', 7, 200, 200);

  expect(await run({ dryRun: true })).toMatchObject({ deleted: 7, dryRun: true });
  expect(await left()).toEqual({ old: 7 });
});

test('a run whose time is up reports itself incomplete, and the next one continues', async () => {
  await record('old', 1_500, 200, 200);
  const remaining = [60_000, 0];

  expect(await run({ remainingMs: () => remaining.shift() ?? 0 })).toMatchObject({ deleted: 1_000, complete: false });
  expect(await run()).toMatchObject({ deleted: 500, complete: true });
});

test('an event that another transaction has locked is left to the next run', async () => {
  await record('old', 3, 200, 200);
  const other = await database.client();
  await other.query(`BEGIN; SELECT FROM billing.webhook_events WHERE id = 'old1' FOR UPDATE`);

  expect(await run()).toMatchObject({ deleted: 2 });
  await other.query('ROLLBACK');
  expect(await run()).toMatchObject({ deleted: 1 });
});

test('a run that deleted all that is old is recorded as a success; a dry or unfinished one is not', async () => {
  const succeeded = async () => (await client.query('SELECT job, succeeded_at AS at FROM billing.job_successes')).rows;
  await run({ dryRun: true });
  await run({ remainingMs: () => 0 });
  expect(await succeeded()).toEqual([]);
  await run();
  await run();
  expect(await succeeded()).toEqual([{ job: 'cleanup', at: NOW }]);
  await client.query('DROP TABLE billing.job_successes');
  expect(await run()).toMatchObject({ complete: true });
});

test('a run deletes the records of refreshes that were done a month ago, and none that is pending', async () => {
  await client.query(
    `INSERT INTO billing.object_refreshes (provider, object_kind, object_id, reason, requested_at, done_at)
     SELECT 'stripe', 'subscription', id, 'test', $1::timestamptz - interval '400 days', $1::timestamptz - age::interval
     FROM (VALUES ('sub_done', '31 days'), ('sub_recent', '29 days'), ('sub_pending', NULL)) AS refresh (id, age)`,
    [NOW],
  );
  const kept = async () =>
    (await client.query<{ id: string }>('SELECT object_id AS id FROM billing.object_refreshes ORDER BY id')).rows;

  await run({ dryRun: true });
  expect(await kept()).toHaveLength(3);
  await run();
  expect((await kept()).map(({ id }) => id)).toEqual(['sub_pending', 'sub_recent']);
});
