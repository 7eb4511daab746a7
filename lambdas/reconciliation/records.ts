import type { ClientBase } from 'pg';
import { OperationError } from '../shared/errors';
import type { ComparedKind, Finding, LocalRow } from './differences';

/** Held for the length of a run. Any constant does, as long as nothing else in the billing database takes it. */
const RUN_LOCK = 7_303_014;

export interface Counters {
  events_checked: number;
  events_missed: number;
  subscriptions_checked: number;
  purchases_checked: number;
  drift_detected: number;
  corrected: number;
}

/**
 * Records that a run has begun, and closes what a killed run left open.
 *
 * @throws OperationError `reconciliation_running` (retryable) while another run is at it
 */
export async function beginRun(client: ClientBase, windowStart: Date, dryRun: boolean): Promise<string> {
  const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [RUN_LOCK]);
  if (!lock.rows[0]?.taken) {
    throw new OperationError('reconciliation_running', 'Another reconciliation is running; wait for it to finish', {
      retryable: true,
    });
  }
  await client.query(`
    UPDATE billing.reconciliation_runs
    SET status = 'failed', finished_at = now(), error = 'The run was interrupted'
    WHERE status = 'running'`);
  const run = await client.query<{ id: string }>(
    `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at)
     VALUES ('running', $1, $2, now()) RETURNING id`,
    [dryRun, windowStart],
  );
  // Ids of the subscriptions that Stripe listed; on the server, because the list has no upper bound.
  await client.query('CREATE TEMPORARY TABLE listed_subscriptions (id text PRIMARY KEY)');
  return run.rows[0]?.id ?? '';
}

/** Records how a run ended: complete, or failed with its error. */
export async function finishRun(client: ClientBase, runId: string, counters: Counters, error?: string): Promise<void> {
  await client.query(
    `UPDATE billing.reconciliation_runs
     SET status = $2, error = $3, finished_at = now(), events_checked = $4, events_missed = $5,
         subscriptions_checked = $6, purchases_checked = $7, drift_detected = $8, corrected = $9
     WHERE id = $1`,
    [
      runId,
      error === undefined ? 'complete' : 'failed',
      error ?? null,
      counters.events_checked,
      counters.events_missed,
      counters.subscriptions_checked,
      counters.purchases_checked,
      counters.drift_detected,
      counters.corrected,
    ],
  );
  await client.query('DROP TABLE listed_subscriptions');
  await client.query('SELECT pg_advisory_unlock($1)', [RUN_LOCK]);
}

/** @param corrected ids of the objects that were brought in line */
export async function recordFindings(
  client: ClientBase,
  runId: string,
  findings: readonly Finding[],
  corrected: ReadonlySet<string>,
): Promise<void> {
  if (findings.length === 0) return;
  const rows = findings.map((finding) => ({
    kind: finding.kind,
    object_type: finding.objectType,
    object_id: finding.objectId,
    field: finding.field ?? null,
    local_value: finding.localValue ?? null,
    stripe_value: finding.stripeValue ?? null,
    corrected: corrected.has(finding.objectId),
  }));
  await client.query(
    `INSERT INTO billing.reconciliation_findings
       (run_id, kind, object_type, object_id, field, local_value, stripe_value, corrected)
     SELECT $1, kind, object_type, object_id, field, local_value, stripe_value, corrected
     FROM json_to_recordset($2::json) AS finding (kind text, object_type text, object_id text, field text,
       local_value text, stripe_value text, corrected boolean)`,
    [runId, JSON.stringify(rows)],
  );
}

/** Those of the given events that the ledger has never seen. */
export async function unknownEvents(client: ClientBase, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM unnest($1::text[]) AS listed (id)
     WHERE NOT EXISTS (SELECT FROM billing.webhook_events AS known WHERE known.id = listed.id)`,
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}

const LOCAL_ROWS: Record<ComparedKind, string> = {
  subscription: `
    SELECT subscription.*, (SELECT json_agg(item) FROM (
        SELECT id, price_id, product_id, quantity, unit_amount, currency, recurring_interval,
               to_char(current_period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') AS current_period_start,
               to_char(current_period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') AS current_period_end
        FROM billing.subscription_items WHERE subscription_id = subscription.id) AS item) AS items
    FROM billing.subscriptions AS subscription WHERE id = ANY ($1::text[])`,
  purchase: 'SELECT * FROM billing.purchases WHERE id = ANY ($1::text[])',
};

/** What the database has of the given objects, by id. */
export async function localRows(
  client: ClientBase,
  kind: ComparedKind,
  ids: readonly string[],
): Promise<Map<string, LocalRow>> {
  const { rows } = await client.query<LocalRow>(LOCAL_ROWS[kind], [ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

export async function rememberListed(client: ClientBase, ids: readonly string[]): Promise<void> {
  await client.query('INSERT INTO listed_subscriptions SELECT unnest($1::text[]) ON CONFLICT DO NOTHING', [ids]);
}

/** Subscriptions that were there before the run began and that Stripe did not list. */
export async function unlistedSubscriptions(client: ClientBase, runId: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM billing.subscriptions AS subscription
     WHERE created_at < (SELECT started_at FROM billing.reconciliation_runs WHERE id = $1)
       AND NOT EXISTS (SELECT FROM listed_subscriptions AS listed WHERE listed.id = subscription.id)
     ORDER BY id`,
    [runId],
  );
  return rows.map(({ id }) => id);
}
