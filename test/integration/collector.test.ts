import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { mockClient } from 'aws-sdk-client-mock';
import { allocatedStorageBytes, databaseSizeBytes, failedSubscriptionsPercent } from '../../lambdas/collector/core';
import { applyEvents } from '../../lambdas/shared/billing/apply-events';
import { stripeEvent, subscription } from '../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../support/database';

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase('billing');
});
afterEach(() => database.drop());

async function percentWith(...statuses: string[]): Promise<number> {
  const client = await database.client();
  const created = Math.floor(Date.now() / 1000);
  const events = statuses.map((status, index) =>
    stripeEvent('customer.subscription.updated', subscription({ id: `sub_${index}`, status, created })),
  );
  await applyEvents(
    client,
    events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() })),
  );
  return failedSubscriptionsPercent(client);
}

test('without subscriptions none fail', async () => {
  expect(await percentWith()).toBe(0);
});

test('the share counts those behind with a payment among those alive, and not those that were canceled', async () => {
  expect(
    await percentWith('active', 'trialing', 'past_due', 'active', 'canceled', 'unpaid', 'active', 'incomplete_expired'),
  ).toBe((100 * 3) / 7);
});

test('the size covers every database of the server', async () => {
  const client = await database.client();
  const own = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');

  expect(await databaseSizeBytes(client)).toBeGreaterThan(Number(own.rows[0]?.bytes));
});

test('allocated storage is asked of RDS by instance, in bytes', async () => {
  const rds = mockClient(RDSClient);
  rds
    .on(DescribeDBInstancesCommand, { DBInstanceIdentifier: 'billing-1' })
    .resolves({ DBInstances: [{ AllocatedStorage: 100 }] });

  const source = { instanceIdentifier: 'billing-1', allocatedStorageGib: 20 };
  expect(await allocatedStorageBytes(new RDSClient({}), source)).toBe(100 * 1024 ** 3);
});

test('where RDS has no instance the configured storage counts, and RDS is not asked', async () => {
  const rds = mockClient(RDSClient);

  const source = { instanceIdentifier: '', allocatedStorageGib: 20 };
  expect(await allocatedStorageBytes(new RDSClient({}), source)).toBe(20 * 1024 ** 3);
  expect(rds.calls()).toHaveLength(0);
});
