import type { Client } from 'pg';
import { EPOCH, stripeEvent, subscription, subscriptionItem } from '../../factories/stripe-objects';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { applyWithEntitlements } from '../../support/entitlements';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

const updated = (second: number, id: string, ...items: string[]) =>
  stripeEvent(
    'customer.subscription.updated',
    subscription({ id, items: { data: items.map((item) => subscriptionItem({ id: item })) } }),
    { created: EPOCH + second },
  );

test('an item that a concurrent transaction moves to another subscription stays there', async () => {
  const other = await database.client();
  const observer = await database.client();
  await applyWithEntitlements(client, updated(0, 'sub_a', 'si_moved', 'si_kept'), updated(0, 'sub_b', 'si_b'));

  await other.query('BEGIN');
  await other.query(`UPDATE billing.subscription_items SET subscription_id = 'sub_b' WHERE id = 'si_moved'`);
  let over = false;
  const without = applyWithEntitlements(client, updated(1, 'sub_a', 'si_kept')).finally(() => (over = true));
  const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while (!over && (await observer.query(waits)).rowCount === 0);
  expect(over).toBe(false);
  await other.query('COMMIT');
  await without;

  const { rows } = await client.query('SELECT subscription_id, id FROM billing.subscription_items ORDER BY 1, 2');
  expect(rows).toEqual([
    { subscription_id: 'sub_a', id: 'si_kept' },
    { subscription_id: 'sub_b', id: 'si_b' },
    { subscription_id: 'sub_b', id: 'si_moved' },
  ]);
});
