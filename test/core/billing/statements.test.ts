import type { Client } from 'pg';
import { applyEvents, BATCH_STATEMENTS, type ReceivedEvent } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import type { StripeEvent } from '../../../core/providers/stripe/shapes';
import type { StatementBurst } from '../../../core/database/statement-burst';
import type { Statement } from '../../../core/database/transaction';
import { mixedBatch } from '../../factories/mixed-batch';
import { createTestDatabase, type TestDatabase } from '../../support/database';

const BATCH = 200;
const MAX_STATEMENTS_PER_EVENT = 0.2;
/** Enough that PostgreSQL never prefers a sequential scan for a batch when there is an index. */
const STORED_SUBSCRIPTIONS = 20_000;

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

/** Applies a batch and returns every statement that PostgreSQL was sent, with its values. */
async function sent(batch: ReceivedEvent<StripeEvent>[]): Promise<{ text: string; values: unknown[] }[]> {
  const statements: { text: string; values: unknown[] }[] = [];
  const calls = jest.spyOn(client, 'query');
  try {
    await applyEvents(client, stripeProvider, batch);
    for (const [burst] of calls.mock.calls as unknown as [StatementBurst][]) {
      statements.push(...burst.calls.map(({ statement, values }) => ({ text: statement.text, values: [...values] })));
    }
  } finally {
    calls.mockRestore();
  }
  return statements;
}

test(`a batch of ${BATCH} events of every kind takes at most ${MAX_STATEMENTS_PER_EVENT} statements per event`, async () => {
  const statements = await sent(mixedBatch(BATCH));

  expect(statements.length / BATCH).toBeLessThanOrEqual(MAX_STATEMENTS_PER_EVENT);
  expect(new Set(statements.map(({ text }) => text)).size).toBe(statements.length);
});

describe(`with ${STORED_SUBSCRIPTIONS} subscriptions stored`, () => {
  let plans: Map<string, string[]>;

  beforeAll(async () => {
    await client.query(`
      INSERT INTO billing.customers (id, first_seen_at) SELECT 'cus_full_' || n, now() FROM generate_series(1, ${STORED_SUBSCRIPTIONS}) AS n;
      INSERT INTO billing.subscriptions (id, customer_id, status, currency, cancel_at_period_end, created_at, version, raw)
        SELECT 'sub_full_' || n, 'cus_full_' || n, 'active', 'eur', false, now(), '0', '{}' FROM generate_series(1, ${STORED_SUBSCRIPTIONS}) AS n;
      INSERT INTO billing.subscription_items (id, subscription_id, price_id, currency)
        SELECT 'si_full_' || n, 'sub_full_' || n, 'price', 'eur' FROM generate_series(1, ${STORED_SUBSCRIPTIONS}) AS n;
      ANALYZE billing.customers, billing.subscriptions, billing.subscription_items`);
    const statements = await sent(
      mixedBatch(BATCH).map(({ event, ...rest }) => ({
        event: { ...event, id: event.id.replace('evt_', 'evt_later_') },
        ...rest,
      })),
    );
    plans = new Map();
    for (const { name, text } of BATCH_STATEMENTS) {
      const values = statements.find((statement) => statement.text === text)?.values;
      if (values === undefined) continue;
      const custom = await client.query<Explained>(`EXPLAIN (FORMAT JSON) ${text}`, values);
      // The generic plan, which PostgreSQL keeps for a prepared statement.
      const generic = await client.query<Explained>(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`);
      plans.set(
        name,
        [...custom.rows, ...generic.rows].flatMap((row) =>
          row['QUERY PLAN'].flatMap(({ Plan }) => sequentialScans(Plan)),
        ),
      );
    }
  });

  test.each(BATCH_STATEMENTS.map(({ name }: Statement) => name))('%s reads no table from end to end', (name) => {
    expect(plans.get(name)).toEqual([]);
  });
});

interface Explained {
  readonly 'QUERY PLAN': readonly { readonly Plan: PlanNode }[];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

function sequentialScans(plan: PlanNode): string[] {
  const own = plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? ''] : [];
  return [...own, ...(plan.Plans ?? []).flatMap(sequentialScans)];
}
