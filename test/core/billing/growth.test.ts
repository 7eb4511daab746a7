import type { Client } from 'pg';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { gatherEntitlementUpdates } from '../../../core/entitlements/recompute';
import { mixedBatch } from '../../factories/mixed-batch';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { putRules, RULES } from '../../support/entitlements';

const BATCH = 80;
/** PostgreSQL plans a prepared statement anew five times before it decides for one plan. */
const BATCHES_UNTIL_PLANS_ARE_KEPT = 8;
const COPIES = 400;
/** A batch looks up a few rows for each of its events; there are thousands in each table. */
const ROWS_READ_ALLOWED = 6 * BATCH;

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterAll(() => database.drop());

const apply = (first: number) =>
  applyEvents(client, stripeProvider, mixedBatch(BATCH, first), { afterStore: gatherEntitlementUpdates().afterStore });

/** Rows that were read so far, from end to end by table, and by index. */
async function rowsRead(): Promise<Map<string, number>> {
  await client.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await client.query<{ table: string; read: string }>(
    `SELECT relname AS table, seq_tup_read AS read FROM pg_stat_user_tables WHERE schemaname = 'billing'
     UNION ALL
     SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = 'billing'`,
  );
  return new Map(rows.map(({ table, read }) => [table, Number(read)]));
}

/** Fills every table that events are stored in with copies of what is there, behind the back of the planner. */
async function fill(): Promise<void> {
  const { rows } = await client.query<{ table: string; keys: string[]; columns: string[] }>(`
    SELECT format('billing.%I', relname) AS table,
           array_agg(attname::text ORDER BY attnum) AS columns,
           array_agg(attname::text) FILTER (WHERE attname ~ '(^|_)id$' OR attname IN ('entry')) AS keys
    FROM pg_stat_user_tables AS t JOIN pg_attribute AS a ON a.attrelid = t.relid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE schemaname = 'billing' AND relname !~
      '(reconciliation|drill|merge|rules|refreshes|assignment_log|job_successes|api_key|bitcoin|erased|erasure|retries)'
    GROUP BY relname`);
  await client.query('SET session_replication_role = replica');
  for (const { table, keys, columns } of rows) {
    const copied = columns.map((column) => (keys.includes(column) ? `original.${column} || '_copy_' || n` : column));
    await client.query(
      `INSERT INTO ${table} (${columns.join(', ')})
       SELECT ${copied.join(', ')} FROM (SELECT * FROM ${table} LIMIT 10) AS original, generate_series(1, ${COPIES}) AS n`,
    );
  }
  await client.query('RESET session_replication_role');
}

test('plans that were made while the database was empty still use indexes when it has filled', async () => {
  await putRules(client, RULES);
  for (let batch = 0; batch < BATCHES_UNTIL_PLANS_ARE_KEPT; batch += 1) await apply(batch * BATCH);
  await fill();

  const before = await rowsRead();
  await apply(BATCHES_UNTIL_PLANS_ARE_KEPT * BATCH);
  const after = await rowsRead();

  const read = [...after].map(([table, rows]) => [table, rows - (before.get(table) ?? 0)] as const);
  expect(read.filter(([, rows]) => rows > ROWS_READ_ALLOWED)).toEqual([]);
});

test('single events run on kept plans after the fifth of a kind', async () => {
  const fresh = await createTestDatabase('billing');
  const single = await fresh.client();
  const { afterStore } = gatherEntitlementUpdates();
  for (const received of mixedBatch(8 * 11, 50_000)) {
    await applyEvents(single, stripeProvider, [received], { afterStore });
  }
  const { rows } = await single.query<{ name: string }>(
    'SELECT name FROM pg_prepared_statements WHERE custom_plans > 5 ORDER BY name',
  );
  await fresh.drop();
  expect(rows).toEqual([]);
});
