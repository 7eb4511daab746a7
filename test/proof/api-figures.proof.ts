import type { Client } from 'pg';
import { revenueFigures } from '../../core/entitlements/figures';
import { createTestDatabase, type TestDatabase } from '../support/database';

const SUBSCRIPTIONS = 20_000;
const PERIODS = 3;
/** The statement timeout of the API's sessions. */
const LIMIT_MS = 10_000;
const YEAR = { from: new Date('2025-01-01'), to: new Date('2026-01-01') };

let database: TestDatabase;
let client: Client;

/** Each subscription pays once a month; older invoices name their payment intent, newer ones have a payment that does. */
async function fill(): Promise<void> {
  const paid = `FROM generate_series(1, ${PERIODS}) AS m, generate_series(1, ${SUBSCRIPTIONS}) AS n`;
  const at = "timestamptz '2025-01-01Z' + m * interval '30 days'";
  await client.query('SET session_replication_role = replica');
  for (const statement of [
    `subscriptions (id, customer_id, project_id, status, currency, cancel_at_period_end, created_at, version, raw)
     SELECT 'sub_' || n, 'cus_' || n, 'project_' || n % 2, 'active', 'eur', false, '2025-01-01Z', '1', '{}'
     FROM generate_series(1, ${SUBSCRIPTIONS}) AS n`,
    `invoices (id, subscription_id, status, currency, total, amount_due, amount_paid, amount_remaining, attempt_count,
               created_at, version, raw, payment_intent_id)
     SELECT format('in_%s_%s', n, m), 'sub_' || n, 'paid', 'eur', 100, 100, 100, 0, 1, ${at}, '1', '{}',
            CASE WHEN m = 1 THEN format('pi_%s_%s', n, m) END ${paid}`,
    `invoice_payments (id, invoice_id, payment_intent_id, status, currency, created_at, version, raw)
     SELECT format('inpay_%s_%s', n, m), format('in_%s_%s', n, m), format('pi_%s_%s', n, m), 'paid', 'eur', ${at}, '1', '{}'
     ${paid} WHERE m > 1`,
    `charges (id, payment_intent_id, status, amount, amount_captured, amount_refunded, currency, created_at, version, raw)
     SELECT format('ch_%s_%s', n, m), format('pi_%s_%s', n, m), 'succeeded', 100, 100, 0, 'eur', ${at}, '1', '{}' ${paid}`,
    // Each charge of the first month reported a total of 10, and its refund is known.
    `refund_ledger (charge_id, refunded_total, currency, recorded_at, entry, kind, refund_id, amount)
     SELECT format('ch_%s_1', n), CASE kind WHEN 'reported' THEN 10 END, 'eur', '2025-03-01Z', kind || n, kind,
            CASE kind WHEN 'refunded' THEN 're_' || n END, CASE kind WHEN 'refunded' THEN 10 END
     FROM generate_series(1, ${SUBSCRIPTIONS}) AS n, unnest('{reported,refunded}'::text[]) AS kind`,
  ]) {
    await client.query(`INSERT INTO billing.${statement}`);
  }
  await client.query('ANALYZE');
}

beforeAll(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await fill();
  await client.query("SET jit = off; SET statement_timeout = '30s'");
});
afterAll(() => database.drop());

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly Plan[];
}
const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

test('a year of revenue finds the invoice of each charge, below the time limit', async () => {
  const started = performance.now();
  const figures = await revenueFigures(client, 'project_1', YEAR);
  expect(performance.now() - started).toBeLessThan(LIMIT_MS);
  const charges = (SUBSCRIPTIONS / 2) * PERIODS;
  const refunded = (SUBSCRIPTIONS / 2) * 10;
  expect(figures).toEqual([
    { currency: 'eur', gross: 100 * charges, refunded, net: 100 * charges - refunded, charges },
  ]);
});

test.each([
  ['a year', YEAR],
  ['a day', { from: new Date('2025-03-01'), to: new Date('2025-03-02') }],
])('the plan for %s reads no table once for each charge', async (_, range) => {
  let plan: Plan | undefined;
  const explaining = {
    async query(text: string, values: unknown[]) {
      const { rows } = await client.query<{ 'QUERY PLAN': { Plan: Plan }[] }>(
        `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`,
        values,
      );
      plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
      return { rows: [] };
    },
  };
  await revenueFigures(explaining as unknown as Client, 'project_1', range);
  const large = ['invoices', 'invoice_payments', 'charges', 'refund_ledger', 'subscriptions'];
  const repeated = nodesOf(plan as Plan).filter(
    (node) =>
      /Seq Scan|CTE Scan/.test(node['Node Type']) &&
      node['Actual Loops'] > 3 &&
      (node['Relation Name'] === undefined || large.includes(node['Relation Name'])),
  );
  expect(repeated).toEqual([]);
});
