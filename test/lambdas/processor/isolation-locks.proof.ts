import { PROCESSOR_TIMEOUT } from '../../../lib/operations/functions/processor';
import { batch, createProcessorSite, SIZE, type ProcessorSite } from '../../factories/processor-batch';

let site: ProcessorSite;

beforeEach(async () => {
  site = await createProcessorSite();
});
afterEach(() => site.remove());

describe('of a batch with one row that another session has locked', () => {
  test('only that event waits, and it is applied once the lock is gone', async () => {
    await site.processMessages(batch(0));
    const locker = await site.database.client();
    await locker.query(`BEGIN; SELECT FROM billing.subscriptions WHERE id = 'sub_13' FOR UPDATE`);

    const startedAt = performance.now();
    const summary = await site.processMessages(batch(1));
    expect(performance.now() - startedAt).toBeLessThan(PROCESSOR_TIMEOUT.toMilliseconds() / 2);
    expect(summary).toMatchObject({ processed: SIZE - 1, deferred: 1, failed: 0, parked: 0 });
    expect(summary.response.batchItemFailures).toEqual([{ itemIdentifier: 'm13' }]);
    // No attempt of the event: nothing was wrong with it.
    expect(await site.ledger()).toEqual([]);

    await locker.query('COMMIT');
    expect(await site.processMessages(batch(1))).toMatchObject({ processed: 1, duplicates: SIZE - 1, deferred: 0 });
  });
});

test('a batch beside a locked table ends within the time of the function and leaves no session waiting', async () => {
  const locker = await site.database.client();
  await locker.query('BEGIN; LOCK TABLE billing.subscriptions');

  const startedAt = performance.now();
  expect(await site.processMessages(batch(1))).toMatchObject({ processed: 0, deferred: SIZE, failed: 0 });
  expect(performance.now() - startedAt).toBeLessThan(PROCESSOR_TIMEOUT.toMilliseconds() / 2);
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  expect((await site.client.query(waiting)).rowCount).toBe(0);

  await locker.query('ROLLBACK');
  expect(await site.processMessages(batch(1))).toMatchObject({ processed: SIZE, deferred: 0 });
});
