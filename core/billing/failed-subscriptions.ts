import type { ClientBase } from 'pg';

/**
 * Share of subscriptions, in percent, whose payment fails: those behind with a payment, and those that expired within
 * the last 30 days because the first payment never came, of all that are alive or expired that way. 0 when there are none.
 */
export async function failedSubscriptionsPercent(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ percent: number }>(`
    SELECT coalesce(100.0 * count(*) FILTER (WHERE status NOT IN ('active', 'trialing')) / nullif(count(*), 0), 0)::float8
      AS percent
    FROM billing.subscriptions
    WHERE status IN ('active', 'trialing', 'past_due', 'unpaid')
       OR (status = 'incomplete_expired' AND created_at > now() - interval '30 days')`);
  return rows[0]?.percent ?? 0;
}
