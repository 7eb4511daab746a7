import type { ClientBase } from 'pg';
import type { InspectionReport, InspectionRequest } from './contract';

const iso = (time: Date | null): string | null => time?.toISOString() ?? null;

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
