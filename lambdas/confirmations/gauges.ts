import type { ClientBase } from 'pg';

/** What is looked up behind a run for alarms. */
export interface Gauges {
  /** Seconds since the oldest payment was first seen that is neither settled nor lost; 0 for none. */
  readonly oldestUnsettledSeconds: number;
  /** Mean seconds from the first sight to the settlement, of the last 24 hours; `undefined` when nothing was settled. */
  readonly confirmationSeconds: number | undefined;
}

/** Looks up how long payments take. */
export async function readGauges(client: ClientBase, now: Date): Promise<Gauges> {
  const { rows } = await client.query<{ oldest: number | null; mean: number | null }>(
    `SELECT (SELECT extract(epoch FROM $1::timestamptz - min(first_seen_at))::float8 FROM billing.bitcoin_payments
             WHERE status IN ('seen', 'confirmed', 'underpaid')) AS oldest,
            (SELECT extract(epoch FROM avg(settled_at - first_seen_at))::float8 FROM billing.bitcoin_payments
             WHERE settled_at > $1::timestamptz - interval '24 hours') AS mean`,
    [now],
  );
  return {
    oldestUnsettledSeconds: Math.max(0, Math.round(rows[0]?.oldest ?? 0)),
    confirmationSeconds: rows[0]?.mean ?? undefined,
  };
}
