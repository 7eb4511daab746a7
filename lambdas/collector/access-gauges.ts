import type { ClientBase } from 'pg';
import { unservedSources } from '../../core/entitlements/unowned';
import type { Log } from '../../core/runtime/telemetry';
import { secondsSince } from './gauge';

/** Ids that the log names at most. */
const MAX_NAMED = 50;

/** Seconds that the oldest object has waited to be read from the provider again; 0 when none waits. */
export async function oldestRefreshSeconds(client: ClientBase, now: Date): Promise<number> {
  const { rows } = await client.query<{ oldest: Date | null }>(
    'SELECT min(requested_at) AS oldest FROM billing.object_refreshes WHERE done_at IS NULL',
  );
  const oldest = rows[0]?.oldest;
  return oldest ? secondsSince(oldest, now) : 0;
}

/**
 * Seconds until the evidence for the dispute is due that is due next, negative once it was; `undefined` when none awaits a
 * response.
 */
export async function nextDisputeDueSeconds(client: ClientBase, now: Date): Promise<number | undefined> {
  const { rows } = await client.query<{ due: Date | null }>(
    `SELECT min(evidence_due_at) AS due FROM billing.disputes
     WHERE status IN ('needs_response', 'warning_needs_response', 'appeal_needs_response')`,
  );
  const due = rows[0]?.due;
  return due ? Math.round((due.getTime() - now.getTime()) / 1000) : undefined;
}

/** Early fraud warnings about which something can still be done: the charge is neither refunded nor disputed. */
export async function actionableFraudWarnings(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ warnings: number }>(
    'SELECT count(*)::int AS warnings FROM billing.early_fraud_warnings WHERE actionable',
  );
  return rows[0]?.warnings ?? 0;
}

/** Subscriptions and purchases that would grant something and belong to no user. The log names the newest. */
export async function countUnserved(client: ClientBase, log: Log): Promise<number> {
  const { count, ids } = await unservedSources(client, MAX_NAMED);
  if (count > 0) log.warn('Subscriptions or purchases were paid for and belong to no user', { count, ids });
  return count;
}

/** Failed payouts that nothing replaced: the money waits in the account's balance. */
export async function openPayoutFailures(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ failures: number }>(
    'SELECT count(*)::int AS failures FROM billing.open_payout_failures',
  );
  return rows[0]?.failures ?? 0;
}

/** Seconds since the payout should have arrived that is latest, of those that are still under way; 0 when none is late. */
export async function latePayoutSeconds(client: ClientBase, now: Date): Promise<number> {
  const { rows } = await client.query<{ due: Date | null }>(
    `SELECT min(arrives_at) AS due FROM billing.payouts WHERE status IN ('pending', 'in_transit')`,
  );
  const due = rows[0]?.due;
  return due && due < now ? secondsSince(due, now) : 0;
}
