import type { Client } from 'pg';
import type { ReconciliationReport } from '../../lambdas/reconciliation/contract';
import { reconcile } from '../../lambdas/reconciliation/core';
import type { StripeStandIn } from '../../local/stripe/stand-in';
import { asAdministrator } from '../support/database';
import { silentLog } from '../support/log';
import { RECONCILE_NOW, stripeWork } from './stripe-work';

/** Compares a database with Stripe and changes nothing. */
export async function compareWithStripe(stripe: StripeStandIn, client: Client): Promise<ReconciliationReport> {
  return reconcile({ ...stripeWork(stripe, client), log: silentLog }, { ...RECONCILE_NOW, dryRun: true });
}

/** Columns about when and how an object arrived. */
const ARRIVAL = ['received_at', 'processed_at', 'recorded_at', 'first_seen_at', 'source'];
/** Tables about the platform's own work. */
const OWN_WORK = /^billing\.(reconciliation_|entitlement_versions$)/;

/** The rows of a billing database by table, without when and how they arrived, to compare one database with another. */
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
