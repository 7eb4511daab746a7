import type { Client } from 'pg';
import { applyEvents, BATCH_STATEMENTS, type ReceivedEvent } from '../../../core/billing/apply-events';
import type { StatementBurst } from '../../../core/database/statement-burst';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import { mixedBatch } from '../../factories/mixed-batch';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** Written out: an order that only follows from the code would change with it. */
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
  'upsert_transfers',
  'upsert_payouts',
  'lock_accounts',
  'upsert_connect_accounts',
  'upsert_account_restrictions',
  'record_refunds',
];
/** Behind the states: what else they touch. */
const TOUCHED_STATEMENTS = [
  'lock_entitlement_sources',
  'link_disputes',
  'find_billed_subscriptions',
  'find_paid_sources',
  'find_owned_sources',
];
/** When it is known which states were stored. */
const DEPENDENT_STATEMENTS = ['replace_subscription_items', 'restrict_accounts'];
const ENTITLEMENT_STATEMENTS = ['replace_subscription_entitlements', 'replace_entitlements'];

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('billing');
});
afterAll(() => database.drop());

/** Applies events; returns the outcomes, and the statements of each round trip. */
async function sentBy(client: Client, events: readonly ReceivedEvent<StripeEvent>[]) {
  const roundTrips: string[][] = [];
  const query = client.query.bind(client) as (statement: unknown) => unknown;
  const spy = jest.spyOn(client, 'query') as unknown as jest.SpyInstance<unknown, [StatementBurst | string]>;
  spy.mockImplementation((sent) => {
    roundTrips.push(typeof sent === 'string' ? [sent] : sent.calls.map(({ statement }) => statement.name));
    return query(sent);
  });
  const { afterStore } = gatherEntitlementUpdates();
  const outcomes = await applyEvents(client, stripeProvider, events, { afterStore });
  spy.mockRestore();
  return { roundTrips, statuses: [...outcomes.values()].map(({ status }) => status) };
}

test('a batch is sent in the written order, in one round trip for each dependency', async () => {
  const { roundTrips } = await sentBy(await database.client(), mixedBatch(40));

  expect(roundTrips).toEqual([
    ['begin', 'limit_and_set_transaction', 'claim_events'],
    [...STATEMENTS.slice(1), ...TOUCHED_STATEMENTS],
    [...DEPENDENT_STATEMENTS, ...ENTITLEMENT_STATEMENTS, 'commit'],
  ]);
});

test('a single event takes two round trips, and four when it was applied before', async () => {
  const client = await database.client();
  const [single] = mixedBatch(2, 500).slice(1);
  const events = single === undefined ? [] : [single];

  const first = await sentBy(client, events);
  expect([first.roundTrips.length, ...first.statuses]).toEqual([2, 'processed']);
  // The states that were sent are rolled back; the second attempt claims nothing and stores nothing.
  const second = await sentBy(client, events);
  expect([second.roundTrips.length, ...second.statuses]).toEqual([4, 'duplicate']);
});

test('a single event without effect that was delivered before is a duplicate', async () => {
  const client = await database.client();
  const { event, ...received } = mixedBatch(1, 700)[0]!;
  const unknown = { ...received, event: { ...event, type: 'tax.settings.updated' } };

  expect([...(await applyEvents(client, stripeProvider, [unknown])).values()]).toEqual([{ status: 'ignored' }]);
  expect([...(await applyEvents(client, stripeProvider, [unknown])).values()]).toEqual([{ status: 'duplicate' }]);
});

test('the list of statements is the order in which they are sent', () => {
  expect(BATCH_STATEMENTS.map(({ name }) => name)).toEqual([...STATEMENTS, ...DEPENDENT_STATEMENTS]);
});
