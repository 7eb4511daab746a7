import type { Client } from 'pg';

/** Tables of what events decide, without those about how they came. */
export const BUSINESS_TABLES = ['customers', 'subscriptions', 'subscription_items', 'invoices', 'charges', 'purchases'];

/** Each row of the business as JSON, without when the platform wrote it, by table. */
export async function businessRows(billing: Client): Promise<Record<string, string[]>> {
  const business: Record<string, string[]> = {};
  for (const name of BUSINESS_TABLES) {
    const { rows } = await billing.query<{ row: string }>(
      `SELECT (to_jsonb(stored) - '{received_at,processed_at,recorded_at,first_seen_at}'::text[])::text AS row
       FROM billing.${name} AS stored ORDER BY 1`,
    );
    business[name] = rows.map(({ row }) => row);
  }
  return business;
}
