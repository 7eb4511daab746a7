import type { ClientBase } from 'pg';
import type { RunStatement, Statement } from '../../core/database/transaction';

/** An attempt to repeat a payout. */
export interface Attempt {
  readonly payoutId: string;
  readonly attempt: number;
}

interface AttemptRow {
  readonly attempt: number;
  readonly new_payout_id: string | null;
}

/** Of an attempt `made`: its payout was canceled at Stripe, and pays nothing. */
const IS_CANCELED = `EXISTS (SELECT FROM billing.payouts WHERE id = made.new_payout_id AND status = 'canceled')`;

/** The payout that a recorded attempt made; `undefined` when none did, or when that one was canceled. */
export async function madeBefore(client: ClientBase, payoutId: string): Promise<string | undefined> {
  const { rows } = await client.query<AttemptRow>(
    `SELECT new_payout_id FROM billing.payout_retries AS made
     WHERE payout_id = $1 AND status = 'created' AND NOT ${IS_CANCELED}`,
    [payoutId],
  );
  return rows[0]?.new_payout_id ?? undefined;
}

/**
 * Records an attempt before Stripe is asked. One whose answer never came is made again, under the same key; after one that
 * Stripe refused, or whose payout was canceled, there is another.
 */
export async function beginAttempt(client: ClientBase, payoutId: string, by: string): Promise<Attempt> {
  await client.query(
    `UPDATE billing.payout_retries AS made
     SET status = 'refused', error = new_payout_id || ' was canceled', new_payout_id = NULL
     WHERE payout_id = $1 AND status = 'created' AND ${IS_CANCELED}`,
    [payoutId],
  );
  await client.query(
    `INSERT INTO billing.payout_retries (payout_id, attempt, status, requested_by)
     SELECT $1, coalesce(max(attempt), 0) + 1, 'requested', $2 FROM billing.payout_retries WHERE payout_id = $1
     ON CONFLICT DO NOTHING`,
    [payoutId, by],
  );
  const { rows } = await client.query<AttemptRow>(
    `SELECT attempt, new_payout_id FROM billing.payout_retries WHERE payout_id = $1 AND status <> 'refused'`,
    [payoutId],
  );
  return { payoutId, attempt: rows[0]?.attempt ?? 1 };
}

/** Stripe's idempotency key of an attempt. */
export const keyOf = ({ payoutId, attempt }: Attempt): string => `billing-payout-retry/${payoutId}/${attempt}`;

export async function recordRefusal(client: ClientBase, { payoutId, attempt }: Attempt, error: string): Promise<void> {
  await client.query(
    `UPDATE billing.payout_retries SET status = 'refused', error = $3, finished_at = now()
     WHERE payout_id = $1 AND attempt = $2 AND status = 'requested'`,
    [payoutId, attempt, error],
  );
}

/** $1: the failed payout, $2: the new one. At most one attempt is open. */
const RECORD_CREATION: Statement = {
  name: 'record_payout_retry',
  text: `
UPDATE billing.payout_retries SET status = 'created', new_payout_id = $2, finished_at = now()
WHERE payout_id = $1 AND status = 'requested'`,
};

/** In the transaction that stores the new payout. */
export async function recordCreation(run: RunStatement, payoutId: string, newPayoutId: string): Promise<void> {
  await run(RECORD_CREATION, [payoutId, newPayoutId]);
}
