import type { Client, QueryConfig } from 'pg';
import { cleanUp } from '../../lambdas/cleanup/core';
import { recompute } from '../../lambdas/entitlements/recompute';
import { reconcile } from '../../lambdas/reconciliation/core';
import { createCache } from '../../core/cache/connection';
import { createEntitlementCache } from '../../core/entitlements/entitlement-cache';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import { readEntitlements } from '../../core/entitlements/read';
import { startStripeStandIn, type StripeStandIn } from '../../local/stripe/stand-in';
import { RECONCILE_NOW, replayEvents, stripeWork, type EventsRequest } from '../factories/stripe-work';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { putRules, RULES } from '../support/entitlements';
import { silentLog } from '../support/log';

/** Enough that PostgreSQL never reads a whole table for a page or a batch, if there is any other way. */
const STORED = 20_000;
const FULL_TABLES = ['subscriptions', 'subscription_items', 'purchases', 'charges', 'refunds', 'refund_ledger'].concat([
  'entitlements',
  'entitlement_versions',
  'webhook_events',
  'customers',
  'reconciliation_findings',
]);

let database: TestDatabase;
let stripe: StripeStandIn;
let client: Client;

beforeAll(async () => {
  [database, stripe] = await Promise.all([createTestDatabase('billing'), startStripeStandIn()]);
  client = await database.client();
  await putRules(client, RULES);
  const owner = `'project_' || n % 20, 'user_' || n`;
  await client.query(`
    SET session_replication_role = replica;
    CREATE TEMPORARY VIEW n AS SELECT n, now() - n * interval '1 minute' - interval '1 day' AS at FROM generate_series(1, ${STORED}) AS n;
    INSERT INTO billing.customers (id, first_seen_at) SELECT 'cus_' || n, at FROM n;
    INSERT INTO billing.subscriptions (id, customer_id, project_id, user_id, status, currency, cancel_at_period_end, created_at, version, raw)
      SELECT 'sub_' || n, 'cus_' || n, ${owner}, 'active', 'eur', false, at, '0', '{}' FROM n;
    INSERT INTO billing.subscription_items (id, subscription_id, price_id, currency, current_period_end)
      SELECT 'si_' || n, 'sub_' || n, 'price_pro', 'eur', now() FROM n;
    INSERT INTO billing.purchases (id, customer_id, project_id, user_id, kind, item_id, mode, status, payment_status, payment_intent_id, currency, created_at, version, raw)
      SELECT 'cs_' || n, 'cus_' || n, ${owner}, 'course', 'c', 'payment', 'complete', 'paid', 'pi_' || n, 'eur', at, '0', '{}' FROM n;
    INSERT INTO billing.charges (id, customer_id, payment_intent_id, status, amount, amount_refunded, currency, created_at, version, raw)
      SELECT 'ch_' || n, 'cus_' || n, 'pi_' || n, 'succeeded', 100, 10, 'eur', at, '0', '{}' FROM n;
    INSERT INTO billing.refunds (id, charge_id, payment_intent_id, status, amount, currency, created_at, version, raw)
      SELECT 're_' || n, 'ch_' || n, 'pi_' || n, 'succeeded', 10, 'eur', at, '0', '{}' FROM n;
    INSERT INTO billing.refund_ledger (entry, kind, charge_id, refund_id, amount, currency)
      SELECT 're_' || n, 'refunded', 'ch_' || n, 're_' || n, 10, 'eur' FROM n;
    INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from)
      SELECT 'user_' || n, 'project_' || n % 20, 'pro', 'subscription', 'sub_' || n, at FROM n;
    INSERT INTO billing.entitlement_versions (user_id, project_id, version, changed_at)
      SELECT 'user_' || n, 'project_' || n % 20, 1, at FROM n;
    INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, processed_at, payload)
      SELECT 'evt_' || n, 'invoice.paid', false, 'webhook', CASE WHEN failed THEN 'failed' ELSE 'processed' END, 1,
        CASE WHEN failed THEN 'why' END, at, at, CASE WHEN NOT failed THEN at END, '{}'
      FROM (SELECT *, n % 1000 = 0 AS failed FROM n) AS n;
    INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at, finished_at)
      VALUES ('complete', false, now(), now() - interval '1 day', now());
    INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, corrected)
      SELECT 1, 'missing_locally', 'subscription', 'sub_' || n, true FROM n;
    RESET session_replication_role;
    ANALYZE`);
  // Some things to find, to correct and to apply.
  const created = Math.floor(Date.now() / 1000) - 7_200;
  const { object } = stripe.state.createSubscription({ created });
  stripe.state.updateSubscription(object.id, { status: 'past_due' }, { atSeconds: created });
  stripe.state.refundCharge(stripe.state.createCharge({ created, amount: 500 }).object.id, 100, { atSeconds: created });
  stripe.state.completeCheckout({ created });
}, 60_000);
afterAll(() => Promise.all([database.drop(), stripe.stop()]));

const dependencies = () => stripeWork(stripe, client, { apply: { afterStore: gatherEntitlementUpdates().afterStore } });
const noCache = createEntitlementCache(createCache({ url: '', onUnavailable: () => undefined }));
const dayAgo = () => new Date(Date.now() - 86_400_000).toISOString();
const replay = (request: EventsRequest) => replayEvents(dependencies(), request);
const again = (scope: Parameters<typeof recompute>[1]) => {
  let batches = 2;
  return recompute({ client, cache: noCache, hasTime: () => (batches -= 1) >= 0, log: silentLog }, scope);
};

interface Work {
  /** Parts of statements that have to look at every row, once a run. @default none has to */
  readonly whole?: readonly string[];
  /**
   * It takes batches of hundreds, for which PostgreSQL rather reads all of so few rows: what counts is that there is an
   * index. @default false
   */
  readonly bulk?: boolean;
}

/** What the functions do. */
const WORK: readonly (readonly [string, () => Promise<unknown>, Work])[] = [
  [
    'a reconciliation',
    () => reconcile({ ...dependencies(), log: silentLog }, RECONCILE_NOW),
    // Where the lanes of the list are parted, and what Stripe did not list, which is everything here.
    { whole: ['percentile_disc', 'reconciliation_listed_objects AS listed', 'test_clock'] },
  ],
  ['a report of gaps', () => replay({ action: 'gaps', from: dayAgo() }), {}],
  ['a replay', () => replay({ action: 'replay', from: dayAgo(), dryRun: false }), {}],
  ['a retry of one event', () => replay({ action: 'retry', events: ['evt_1', 'evt_2'] }), {}],
  ['a retry of all that failed', () => replay({ action: 'retry', events: 'failed' }), {}],
  [
    'reading entitlements',
    () =>
      readEntitlements(
        { useDatabase: (work) => work(client), cache: noCache, clock: () => new Date() },
        'user_5',
        'project_5',
      ),
    {},
  ],
  ['computing entitlements of a user again', () => again({ userId: 'user_5' }), {}],
  // Rare, and by an operator: an index of customers by project would cost every event of a customer.
  [
    'computing entitlements of a project again',
    () => again({ projectId: 'project_5' }),
    { bulk: true, whole: ['billing.customers AS customer'] },
  ],
  ['computing a part of all entitlements again', () => again('all'), { bulk: true }],
  [
    'a cleanup',
    () =>
      cleanUp(
        { client, clock: () => new Date(), remainingMs: () => 60_000, log: silentLog },
        { retentionDays: 14, dryRun: false },
      ),
    { bulk: true },
  ],
];

test.each(WORK)(
  `%s, with ${STORED} rows in every table, reads none from end to end without need`,
  async (_, work, { whole = [], bulk = false }) => {
    const sent: [string, unknown[]][] = [];
    const query = jest.spyOn(client, 'query');
    try {
      await work();
      for (const [asked, given = []] of query.mock.calls as unknown as [string | QueryConfig, unknown[]?][]) {
        sent.push(typeof asked === 'string' ? [asked, given] : [asked.text, asked.values ?? []]);
      }
    } finally {
      query.mockRestore();
    }
    const statements = new Map(sent.filter(([text]) => /^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b/.test(text)));
    expect(statements.size).toBeGreaterThan(0);
    const scanning: string[] = [];
    await client.query(`SET enable_seqscan = ${!bulk}`);
    for (const [text, values] of statements) {
      const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
        `EXPLAIN (FORMAT JSON) ${text}`,
        values,
      );
      const scans = rows.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => sequentialScans(Plan)));
      if (scans.some((table) => FULL_TABLES.includes(table))) scanning.push(text);
    }

    expect(scanning.filter((text) => !whole.some((part) => text.includes(part)))).toEqual([]);
  },
  60_000,
);

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

function sequentialScans(plan: PlanNode): string[] {
  const own = plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? ''] : [];
  return [...own, ...(plan.Plans ?? []).flatMap(sequentialScans)];
}
