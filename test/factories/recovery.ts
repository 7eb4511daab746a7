import type { Client } from 'pg';
import type { ReconciliationReport } from '../../lambdas/reconciliation/contract';
import { reconcile } from '../../lambdas/reconciliation/core';
import type { StripeStandIn } from '../../local/stripe/stand-in';
import { asAdministrator } from '../support/database';
import { silentLog } from '../support/log';
import { stripeWork } from './stripe-work';

/** Compares a database with Stripe and changes nothing. */
export async function compareWithStripe(stripe: StripeStandIn, client: Client): Promise<ReconciliationReport> {
  return reconcile({ ...stripeWork(stripe, client), log: silentLog }, { daysBack: 7, dryRun: true, settleSeconds: 0 });
}

/** Columns that say when and how something arrived here, not what it is. */
const ARRIVAL = ['received_at', 'processed_at', 'recorded_at', 'first_seen_at', 'source'];
/** Tables that count or describe our own work. */
const OWN_WORK = /^billing\.(reconciliation_|entitlement_versions$)/;

/** Everything that a billing database knows about the business, by table, however and whenever it was learned. */
export async function businessOf(database: string): Promise<Record<string, string[]>> {
  return asAdministrator(async (client) => {
    const tables = await client.query<{ name: string }>(
      `SELECT 'billing.' || relname AS name FROM pg_class
       WHERE relnamespace = 'billing'::regnamespace AND relkind = 'r' ORDER BY 1`,
    );
    const business: Record<string, string[]> = {};
    for (const { name } of tables.rows.filter((table) => !OWN_WORK.test(table.name))) {
      const rows = await client.query<{ line: string }>(
        `SELECT (to_jsonb(whole_row) - $1::text[])::text AS line FROM ${name} AS whole_row ORDER BY 1`,
        [ARRIVAL],
      );
      business[name] = rows.rows.map((row) => row.line);
    }
    return business;
  }, database);
}
