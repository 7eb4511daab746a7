import type { Client } from 'pg';

/** A row of the ledger of events. */
export interface LedgerRow {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly source: string;
  readonly attempts: number;
  readonly error: string | null;
}

/** The ledger's rows, by the event's id. */
export async function readLedger(billing: Client): Promise<Map<string, LedgerRow>> {
  const { rows } = await billing.query<LedgerRow>(
    'SELECT id, type, status, source, attempts, error FROM billing.webhook_events ORDER BY occurred_at, id',
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** The state of a subscription as the platform knows it. */
export interface SubscriptionRow {
  readonly id: string;
  readonly user_id: string;
  readonly status: string;
  readonly cancel_at_period_end: boolean;
}

/** Every subscription, oldest first. */
export async function readSubscriptions(billing: Client): Promise<SubscriptionRow[]> {
  const { rows } = await billing.query<SubscriptionRow>(
    'SELECT id, user_id, status, cancel_at_period_end FROM billing.subscriptions ORDER BY created_at, id',
  );
  return rows;
}
