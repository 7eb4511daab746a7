import { drainTransactions } from '../../../core/erasure/drain';
import { useBillingDatabase } from '../../support/billing';
import { createTestDatabase } from '../../support/database';

const { client, database, rows } = useBillingDatabase();
const WRITES = `SET application_name = 'slow report'; BEGIN; SELECT pg_current_xact_id()`;

test('an open transaction of another database of the server is not waited for', async () => {
  const elsewhere = await createTestDatabase('empty');
  try {
    await (await elsewhere.client()).query(WRITES);
    await expect(drainTransactions(client(), { whatNext: '' })).resolves.toBeUndefined();
  } finally {
    await elsewhere.drop();
  }
});

test('one that outlasts the wait is named, also to a role that may not see what others do, and what to do is said', async () => {
  const writer = await database().client();
  await writer.query(WRITES);
  const [{ pid }] = await rows(`SELECT pid FROM pg_stat_activity WHERE application_name = 'slow report'
    AND datname = current_database()`);
  await client().query('SET ROLE pg_signal_backend');
  await expect(drainTransactions(client(), { whatNext: 'End them', waitMs: 0 })).rejects.toMatchObject({
    code: 'database_busy',
    retryable: true,
    // It is the oldest; a vacuum that PostgreSQL began by itself may be named behind it.
    message: expect.stringMatching(
      `^Transactions that began before the people were marked as erased are still open: slow report \\(process ${pid}\\).*[.] End them$`,
    ) as string,
  });
  await writer.query('COMMIT');
  await expect(drainTransactions(client(), { whatNext: '' })).resolves.toBeUndefined();
});
