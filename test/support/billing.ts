import type { Client } from 'pg';
import { applyEvents, type EventOutcome, type ReceivedEvent } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import { createTestDatabase, type TestDatabase } from './database';

/** Events as they were delivered just now. */
export const delivered = (events: readonly StripeEvent[]): ReceivedEvent<StripeEvent>[] =>
  events.map((event) => ({ event, source: 'webhook', receivedAt: new Date() }));

export interface BillingDatabase {
  readonly database: () => TestDatabase;
  readonly client: () => Client;
  /** Applies the events in one batch; returns their outcomes by id. */
  readonly apply: (...events: StripeEvent[]) => Promise<Map<string, EventOutcome>>;
  /** Runs a query; returns its rows. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly rows: (sql: string) => Promise<any[]>;
}

/** A migrated billing database for every test of the file. */
export function useBillingDatabase(): BillingDatabase {
  let database: TestDatabase;
  let client: Client;
  beforeEach(async () => {
    database = await createTestDatabase('billing');
    client = await database.client();
  });
  afterEach(() => database.drop());
  return {
    database: () => database,
    client: () => client,
    apply: (...events) => applyEvents(client, stripeProvider, delivered(events)),
    rows: async (sql) => (await client.query(sql)).rows,
  };
}

/** Everything that events decide, without the times at which they happened to arrive. */
export async function billingState(client: Client): Promise<unknown> {
  const { rows: state } = await client.query(`
    SELECT (SELECT json_agg(t ORDER BY id) FROM billing.customers t) AS customers,
           (SELECT json_agg(t ORDER BY id) FROM billing.subscriptions t) AS subscriptions,
           (SELECT json_agg(t ORDER BY id) FROM billing.subscription_items t) AS items,
           (SELECT json_agg(t ORDER BY id) FROM billing.invoices t) AS invoices,
           (SELECT json_agg(t ORDER BY id) FROM billing.purchases t) AS purchases,
           (SELECT json_agg(t ORDER BY id) FROM billing.charges t) AS charges,
           (SELECT json_agg(json_build_array(charge_id, amount, currency) ORDER BY charge_id, refunded_total)
              FROM billing.refund_entries) AS refunds,
           (SELECT json_agg(json_build_array(id, status, error) ORDER BY id) FROM billing.webhook_events) AS ledger`);
  return state[0];
}
