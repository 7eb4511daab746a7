import type { SQSRecord } from 'aws-lambda';
import type { Client } from 'pg';
import { processBatch } from '../../../lambdas/processor/core';
import { PROCESSOR_TIMEOUT } from '../../../lib/operations/functions/processor';
import { createReusableConnection, type ReusableConnection } from '../../../core/database/reusable-connection';
import { EPOCH, stripeEvent, subscription } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { silentLog } from '../../support/log';

const SIZE = 20;

let database: TestDatabase;
let client: Client;
let connection: ReusableConnection;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  connection = createReusableConnection(database.pipelining);
});
afterEach(async () => {
  await connection.close();
  await database.drop();
});

/** Twenty subscriptions, each in a state of the given second. */
function batch(second: number): SQSRecord[] {
  return Array.from({ length: SIZE }, (_, index) => {
    const object = subscription({ id: `sub_${index}`, status: second === 0 ? 'trialing' : 'active' });
    const event = stripeEvent('customer.subscription.updated', object, {
      id: `evt_${second}_${index}`,
      created: EPOCH + second,
    });
    const attributes = { SentTimestamp: String(EPOCH * 1000), ApproximateReceiveCount: '7' };
    return {
      messageId: `m${index}`,
      body: JSON.stringify(event),
      attributes,
      messageAttributes: {},
    } as unknown as SQSRecord;
  });
}

const processMessages = (records: readonly SQSRecord[]) =>
  processBatch(records, {
    connection,
    log: silentLog,
    park: () => Promise.reject(new Error('Nothing is to be parked')),
  });
const ledger = async () =>
  (
    await client.query<{ id: string; status: string; attempts: number }>(
      `SELECT id, status, attempts FROM billing.webhook_events WHERE id LIKE 'evt_1_%' AND status <> 'processed' ORDER BY id`,
    )
  ).rows;

describe('of a batch with one row that another session has locked', () => {
  test('only that event waits, and it is applied once the lock is gone', async () => {
    await processMessages(batch(0));
    const locker = await database.client();
    await locker.query(`BEGIN; SELECT FROM billing.subscriptions WHERE id = 'sub_13' FOR UPDATE`);

    const startedAt = performance.now();
    const summary = await processMessages(batch(1));
    expect(performance.now() - startedAt).toBeLessThan(PROCESSOR_TIMEOUT.toMilliseconds() / 2);
    expect(summary).toMatchObject({ processed: SIZE - 1, deferred: 1, failed: 0, parked: 0 });
    expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'm13' }]);
    // No attempt of the event: nothing was wrong with it.
    expect(await ledger()).toEqual([]);

    await locker.query('COMMIT');
    expect(await processMessages(batch(1))).toMatchObject({ processed: 1, duplicates: SIZE - 1, deferred: 0 });
  });
});

test('a batch beside a locked table ends within the time of the function and leaves no session waiting', async () => {
  const locker = await database.client();
  await locker.query('BEGIN; LOCK TABLE billing.subscriptions');

  const startedAt = performance.now();
  expect(await processMessages(batch(1))).toMatchObject({ processed: 0, deferred: SIZE, failed: 0 });
  expect(performance.now() - startedAt).toBeLessThan(PROCESSOR_TIMEOUT.toMilliseconds() / 2);
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  expect((await client.query(waiting)).rowCount).toBe(0);

  await locker.query('ROLLBACK');
  expect(await processMessages(batch(1))).toMatchObject({ processed: SIZE, deferred: 0 });
});

describe('of a batch with one event whose row raises', () => {
  /** Makes storing of one subscription raise an error. */
  const raising = (code: string) =>
    client.query(`
      CREATE FUNCTION billing.raise() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '${code}'; END $$;
      CREATE TRIGGER raise BEFORE INSERT OR UPDATE ON billing.subscriptions
        FOR EACH ROW WHEN (new.id = 'sub_13') EXECUTE FUNCTION billing.raise()`);

  test.each(['P0001', 'XX001', 'XX000', '53400', '57014', '22000', '23514'])(
    '%s, the others are applied, and the event fails with its attempt counted',
    async (code) => {
      await raising(code);
      const summary = await processMessages(batch(1));

      expect(summary).toMatchObject({ processed: SIZE - 1, failed: 1, deferred: 0 });
      expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'm13' }]);
      expect(await ledger()).toEqual([{ id: 'evt_1_13', status: 'failed', attempts: 1 }]);
    },
  );

  test.each(['55P03', '42883'])('%s, the others are applied, and the event is tried again later', async (code) => {
    await raising(code);

    expect(await processMessages(batch(1))).toMatchObject({ processed: SIZE - 1, failed: 0, deferred: 1 });
    expect(await ledger()).toEqual([]);
  });

  test.each(['53100', '57P03', '08006', '25006'])(
    '%s, which is the database being away, the whole batch is delivered again and no attempt is counted',
    async (code) => {
      await raising(code);

      await expect(processMessages(batch(1))).rejects.toMatchObject({ code });
      expect(await ledger()).toEqual([]);
    },
  );
});
