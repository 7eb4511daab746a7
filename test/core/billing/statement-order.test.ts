import type { Client } from 'pg';
import { applyEvents, BATCH_STATEMENTS } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import { mixedBatch } from '../../factories/mixed-batch';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** Written out: an order that only follows from the code would change with it. */
/** The limits go with it, in one message. */
const BEGIN = expect.stringMatching(
  /^BEGIN DEFERRABLE; SET LOCAL lock_timeout = \d+; SET LOCAL statement_timeout = \d+$/,
);
const STATEMENTS = [
  'claim_events',
  'insert_customers',
  'upsert_customers',
  'upsert_subscriptions',
  'upsert_invoices',
  'upsert_purchases',
  'upsert_payment_intents',
  'upsert_charges',
  'upsert_refunds',
  'upsert_invoice_payments',
  'upsert_disputes',
  'upsert_early_fraud_warnings',
  'lock_accounts',
  'upsert_connect_accounts',
  'upsert_account_restrictions',
  'record_refunds',
  'replace_subscription_items',
  'restrict_accounts',
];
const ENTITLEMENT_STATEMENTS = [
  'lock_entitlement_sources',
  'link_disputes',
  'replace_subscription_entitlements',
  'replace_entitlements',
  'find_billed_subscriptions',
  'find_paid_sources',
  'find_owned_sources',
];
/** BEGIN and the claim, the states, what depends on the stored ones, COMMIT. */
const ROUND_TRIPS = 4;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('billing');
});
afterAll(() => database.drop());

/** Applies a batch of every kind of object; returns what was sent, one list for each time that answers were awaited. */
async function sentBy(client: Client): Promise<string[][]> {
  const roundTrips: string[][] = [];
  let unanswered = 0;
  const query = client.query.bind(client) as (statement: unknown) => Promise<unknown>;
  const spy = jest.spyOn(client, 'query') as unknown as jest.SpyInstance<Promise<unknown>, [string | { name: string }]>;
  spy.mockImplementation((statement) => {
    if (unanswered === 0) roundTrips.push([]);
    roundTrips.at(-1)?.push(typeof statement === 'string' ? statement : statement.name);
    unanswered += 1;
    return query(statement).finally(() => (unanswered -= 1));
  });
  const { afterStore } = gatherEntitlementUpdates();
  await applyEvents(client, stripeProvider, mixedBatch(40), { afterStore });
  return roundTrips;
}

test('a pipelining connection sends the statements of a batch in the written order, one round trip for each dependency', async () => {
  const roundTrips = await sentBy(await database.client());

  expect(roundTrips).toHaveLength(ROUND_TRIPS);
  expect(roundTrips.flat()).toEqual([BEGIN, ...STATEMENTS, ...ENTITLEMENT_STATEMENTS, 'COMMIT']);
  expect(roundTrips[2]).toEqual(['replace_subscription_items', 'restrict_accounts', ...ENTITLEMENT_STATEMENTS]);
});

test('a single event takes three round trips, and four when it was applied before', async () => {
  const client = await database.client();
  const [single] = mixedBatch(2, 500).slice(1);
  const roundTrips = async () => {
    let [count, unanswered] = [0, 0];
    const query = client.query.bind(client) as (statement: unknown) => Promise<unknown>;
    const spy = jest.spyOn(client, 'query') as unknown as jest.SpyInstance<Promise<unknown>, [unknown]>;
    spy.mockImplementation((statement) => {
      count += unanswered === 0 ? 1 : 0;
      unanswered += 1;
      return query(statement).finally(() => (unanswered -= 1));
    });
    const { afterStore } = gatherEntitlementUpdates();
    const outcomes = await applyEvents(client, stripeProvider, single === undefined ? [] : [single], { afterStore });
    spy.mockRestore();
    return [count, ...[...outcomes.values()].map(({ status }) => status)];
  };

  expect(await roundTrips()).toEqual([3, 'processed']);
  // The states that were sent are rolled back; the second attempt claims nothing and stores nothing.
  expect(await roundTrips()).toEqual([4, 'duplicate']);
});

test('a single event without effect that was delivered before is a duplicate', async () => {
  const client = await database.client();
  const { event, ...received } = mixedBatch(1, 700)[0]!;
  const unknown = { ...received, event: { ...event, type: 'tax.settings.updated' } };

  expect([...(await applyEvents(client, stripeProvider, [unknown])).values()]).toEqual([{ status: 'ignored' }]);
  expect([...(await applyEvents(client, stripeProvider, [unknown])).values()]).toEqual([{ status: 'duplicate' }]);
});

test('a plain connection sends the statements of a batch in the written order', async () => {
  await database.client().then((client) => client.query('TRUNCATE billing.webhook_events'));
  const plain = await database.connector.connect();
  try {
    expect((await sentBy(plain)).flat()).toEqual(expect.arrayContaining([BEGIN, ...STATEMENTS.slice(0, -1), 'COMMIT']));
  } finally {
    await plain.end();
  }
});

test('the list of statements is the order in which they are sent', () => {
  expect(BATCH_STATEMENTS.map(({ name }) => name)).toEqual(STATEMENTS);
});

test('a claim outside of a transaction fails: it would record events without their effect', async () => {
  const client = await database.client();
  const refused = new Error('BEGIN was cancelled');
  const query = client.query.bind(client) as (statement: unknown) => Promise<unknown>;
  const spy = jest.spyOn(client, 'query') as unknown as jest.SpyInstance<Promise<unknown>, [unknown]>;
  spy.mockImplementation((statement) => {
    if (typeof statement !== 'string' || !statement.startsWith('BEGIN')) return query(statement);
    // As when an administrator cancels it: the connection lives on.
    return query('SELECT').then(() => Promise.reject(refused));
  });

  await expect(applyEvents(client, stripeProvider, mixedBatch(3, 9_000))).rejects.toBe(refused);
  spy.mockRestore();
  expect((await client.query(`SELECT FROM billing.webhook_events WHERE object_id ~ '_900.$'`)).rowCount).toBe(0);
  expect((await client.query(`SELECT FROM billing.customers WHERE id ~ '_900.$'`)).rowCount).toBe(0);
  await applyEvents(client, stripeProvider, mixedBatch(3, 9_000));
  expect((await client.query(`SELECT FROM billing.webhook_events WHERE object_id ~ '_900.$'`)).rowCount).toBe(3);
});
