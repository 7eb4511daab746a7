import type { ClientBase } from 'pg';
import { CANARY_EVENT, WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import type { InspectionReport, InspectionRequest } from './contract';

const iso = (time: Date | null): string | null => time?.toISOString() ?? null;

interface EventRow {
  readonly id: string;
  readonly provider: string;
  readonly type: string;
  readonly status: InspectionReport<'events'>['events'][number]['status'];
  readonly attempts: number;
  readonly error: string | null;
  readonly source: string;
  readonly api_version: string | null;
  readonly occurred_at: Date;
  readonly received_at: Date;
  readonly processed_at: Date | null;
}

/**
 * Events of the ledger, the newest first. Never their payloads, which hold personal data; and the platform's own only where
 * their type is asked for.
 */
export async function listEvents(
  client: ClientBase,
  { status, type, since, limit }: InspectionRequest<'events'>,
): Promise<InspectionReport<'events'>> {
  const { rows } = await client.query<EventRow>(
    `SELECT id, provider, type, status, attempts, error, source, api_version, occurred_at, received_at, processed_at
     FROM billing.webhook_events
     WHERE ($1::text IS NULL OR status = $1) AND CASE WHEN $2::text IS NULL THEN type <> $5 ELSE type = $2 END
       AND ($3::timestamptz IS NULL OR received_at >= $3)
     ORDER BY occurred_at DESC, id LIMIT $4`,
    [status ?? null, type ?? null, since ?? null, limit, CANARY_EVENT.type],
  );
  return { action: 'events', events: rows.map(describeEvent) };
}

interface EventDetailRow extends EventRow {
  readonly object_id: string | null;
  readonly livemode: boolean;
  readonly dismissed_by: string | null;
  readonly dismissal_reason: string | null;
  readonly payload: unknown;
}

/** All that the ledger has of an event; its payload only when asked for. */
export async function readEvent(
  client: ClientBase,
  { id, payload }: InspectionRequest<'event'>,
): Promise<InspectionReport<'event'>> {
  const { rows } = await client.query<EventDetailRow>(
    `SELECT id, provider, type, status, attempts, error, source, api_version, occurred_at, received_at, processed_at,
       object_id, livemode, dismissed_by, dismissal_reason, CASE WHEN $2 THEN payload END AS payload
     FROM billing.webhook_events WHERE provider = ANY ($3::text[]) AND id = $1`,
    // With the provider, which the key of the ledger begins with.
    [id, payload, Object.keys(WEBHOOK_ENDPOINTS)],
  );
  const [row] = rows;
  if (row === undefined) return { action: 'event', event: null };
  const { object_id: objectId, livemode, dismissed_by: dismissedBy, dismissal_reason: dismissalReason } = row;
  const event = { ...describeEvent(row), objectId, livemode, dismissedBy, dismissalReason, payload: row.payload };
  return { action: 'event', event };
}

function describeEvent(row: EventRow): InspectionReport<'events'>['events'][number] {
  const { id, provider, type, status, attempts, error, source } = row;
  return {
    id,
    provider,
    type,
    status,
    attempts,
    error,
    source,
    apiVersion: row.api_version,
    occurredAt: row.occurred_at.toISOString(),
    receivedAt: row.received_at.toISOString(),
    processedAt: iso(row.processed_at),
  };
}

interface RunRow {
  readonly id: string;
  readonly status: string;
  readonly dry_run: boolean;
  readonly started_at: Date;
  readonly finished_at: Date | null;
  readonly events_missed: number;
  readonly drift_detected: number;
  readonly corrected: number;
  readonly errors: number;
  readonly error: string | null;
}

/** Reconciliations, the newest first. */
export async function listRuns(client: ClientBase, limit: number): Promise<InspectionReport<'reconciliations'>> {
  const { rows } = await client.query<RunRow>(
    `SELECT id, status, dry_run, started_at, finished_at, events_missed, drift_detected, corrected, errors, error
     FROM billing.reconciliation_runs ORDER BY started_at DESC, id DESC LIMIT $1`,
    [limit],
  );
  const runs = rows.map((row) => ({
    runId: row.id,
    status: row.status,
    dryRun: row.dry_run,
    startedAt: row.started_at.toISOString(),
    finishedAt: iso(row.finished_at),
    eventsMissed: row.events_missed,
    driftDetected: row.drift_detected,
    corrected: row.corrected,
    errors: row.errors,
    error: row.error,
  }));
  return { action: 'reconciliations', runs };
}

interface FindingRow {
  readonly kind: string;
  readonly object_type: string;
  readonly object_id: string;
  readonly field: string | null;
  readonly local_value: string | null;
  readonly stripe_value: string | null;
  readonly corrected: boolean;
}

/** What a run found to differ; of the last run that was no dry run, unless its id is given. */
export async function listFindings(
  client: ClientBase,
  { runId, limit }: InspectionRequest<'findings'>,
): Promise<InspectionReport<'findings'>> {
  const run = await client.query<{ id: string }>(
    runId === undefined
      ? 'SELECT id FROM billing.reconciliation_runs WHERE NOT dry_run ORDER BY started_at DESC, id DESC LIMIT 1'
      : 'SELECT id FROM billing.reconciliation_runs WHERE id = $1',
    runId === undefined ? [] : [runId],
  );
  const id = run.rows[0]?.id;
  if (id === undefined) return { action: 'findings', runId: null, total: 0, findings: [] };
  const { rows } = await client.query<FindingRow & { readonly total: number }>(
    `SELECT kind, object_type, object_id, field, local_value, stripe_value, corrected, count(*) OVER ()::int AS total
     FROM billing.reconciliation_findings WHERE run_id = $1 ORDER BY id LIMIT $2`,
    [id, limit],
  );
  const findings = rows.map((row) => ({
    kind: row.kind,
    objectType: row.object_type,
    objectId: row.object_id,
    field: row.field,
    localValue: row.local_value,
    remoteValue: row.stripe_value,
    corrected: row.corrected,
  }));
  return { action: 'findings', runId: id, total: rows[0]?.total ?? 0, findings };
}
