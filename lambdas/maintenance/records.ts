import type { ClientBase } from 'pg';
import { forgettingRows } from '../../core/erasure/card-rows';
import { OperationError } from '../../core/runtime/errors';
import { type MaintenanceTask, type ResultOf, type TaskOutcome, type TaskRecord, taskRecord } from './contract';

/** Held while a run is under way. Any constant that nothing else in the databases uses. */
const RUN_LOCK = 7_303_029;
/** Records are small, and trends look back a month; a year shows the seasons. */
const RETENTION_DAYS = 400;
/** Findings of cards that a list of records has of each. */
const LISTED_FINDINGS = 100;
/** $2, or without the rows of findings when an erasure marked the record: what a scan found before must not come back. */
const RECORDED = `CASE WHEN task = 'cards' AND error IS NOT NULL THEN ${forgettingRows('$2::jsonb')} ELSE $2::jsonb END`;

interface RecordRow {
  readonly id: string;
  readonly task: string;
  readonly started_at: Date;
  readonly finished_at: Date | null;
  readonly outcome: TaskOutcome;
  readonly result: unknown;
  readonly error: string | null;
}

/**
 * Makes this the only run on the database, until the connection closes, and marks tasks of a run that was killed.
 *
 * @throws OperationError `maintenance_running` (retryable), `unmigrated_database`
 */
export async function openRun(client: ClientBase, now: Date, dryRun: boolean): Promise<void> {
  const table = await client.query<{ present: boolean }>(
    `SELECT to_regclass('operations.maintenance_runs') IS NOT NULL AS present`,
  );
  if (!table.rows[0]?.present) {
    throw new OperationError(
      'unmigrated_database',
      'The database has no table operations.maintenance_runs: migrate it',
    );
  }
  const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [RUN_LOCK]);
  if (!lock.rows[0]?.taken) {
    throw new OperationError(
      'maintenance_running',
      'Another maintenance of this database is running; wait for its end',
    );
  }
  if (dryRun) return;
  await client.query(
    `UPDATE operations.maintenance_runs SET outcome = 'interrupted', error = 'The function was killed'
     WHERE outcome = 'running'`,
  );
  await client.query('DELETE FROM operations.maintenance_runs WHERE started_at < $1', [
    new Date(now.getTime() - RETENTION_DAYS * 86_400_000),
  ]);
}

/** @returns the id of the record, for {@link finishTask} */
export async function beginTask(client: ClientBase, task: MaintenanceTask | 'report', now: Date): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO operations.maintenance_runs (task, started_at, outcome) VALUES ($1, $2, 'running') RETURNING id`,
    [task, now],
  );
  return rows[0]?.id ?? '';
}

export async function finishTask(
  client: ClientBase,
  id: string,
  end: { readonly at: Date; readonly outcome: TaskOutcome; readonly result: unknown; readonly error: string | null },
): Promise<void> {
  await client.query(
    `UPDATE operations.maintenance_runs SET finished_at = $3, outcome = $4, result = coalesce(${RECORDED}, result), error = $5
     WHERE id = $1`,
    [id, end.result === null ? null : JSON.stringify(end.result), end.at, end.outcome, end.error],
  );
}

/** Records how far a task is, for the next one to continue if this one is killed. */
export async function saveProgress(client: ClientBase, id: string, result: unknown): Promise<void> {
  await client.query(`UPDATE operations.maintenance_runs SET result = ${RECORDED} WHERE id = $1`, [
    id,
    JSON.stringify(result),
  ]);
}

/** What the last task of a kind left on record, finished or not; `undefined` where none did, or in the form of another release. */
export async function lastResult<Task extends MaintenanceTask>(
  client: ClientBase,
  task: Task,
): Promise<ResultOf<Task> | undefined> {
  const { rows } = await client.query<RecordRow>(
    `SELECT * FROM operations.maintenance_runs WHERE task = $1 AND result IS NOT NULL AND outcome <> 'running'
     ORDER BY id DESC LIMIT 1`,
    [task],
  );
  return (rows.flatMap(readRecord)[0]?.result ?? undefined) as ResultOf<Task> | undefined;
}

/** Records of tasks, the newest first. A result in the form of another release is left out. */
export async function listRecords(client: ClientBase, limit: number): Promise<TaskRecord[]> {
  const { rows } = await client.query<RecordRow>(
    `SELECT * FROM operations.maintenance_runs WHERE task <> 'report' ORDER BY id DESC LIMIT $1`,
    [limit],
  );
  return rows.flatMap(readRecord).map((record) => {
    if (record.task === 'cards' && record.result) {
      return { ...record, result: { ...record.result, findings: record.result.findings.slice(0, LISTED_FINDINGS) } };
    }
    if (record.task === 'logs' && record.result) {
      const findings = record.result.findings.slice(0, LISTED_FINDINGS);
      return { ...record, result: { ...record.result, findings, numbers: [] } };
    }
    return record;
  });
}

/** The newest record of each task that ended. */
export async function newestRecords(client: ClientBase): Promise<TaskRecord[]> {
  const { rows } = await client.query<RecordRow>(
    `SELECT DISTINCT ON (task) * FROM operations.maintenance_runs
     WHERE task <> 'report' AND outcome <> 'running' ORDER BY task, id DESC`,
  );
  return rows.flatMap(readRecord);
}

/** The newest result of a task from before a moment; `undefined` when there is none. */
export async function resultBefore(client: ClientBase, task: MaintenanceTask, moment: Date): Promise<unknown> {
  const { rows } = await client.query<{ result: unknown }>(
    `SELECT result FROM operations.maintenance_runs
     WHERE task = $1 AND outcome = 'done' AND started_at <= $2 ORDER BY started_at DESC LIMIT 1`,
    [task, moment],
  );
  return rows[0]?.result;
}

/** A record as the log of the function has it: keys of rows may be e-mail addresses, and stay in the database. */
export function loggedRecord(record: TaskRecord): object {
  if ((record.task !== 'cards' && record.task !== 'logs') || !record.result) return record;
  const { findings, ...rest } = record.result;
  const numbers = 'numbers' in rest ? { numbers: rest.numbers.length } : {};
  return { ...record, result: { ...rest, ...numbers, findings: findings.length } };
}

function readRecord(row: RecordRow): TaskRecord[] {
  const record = {
    task: row.task,
    startedAt: row.started_at.toISOString(),
    durationMs: row.finished_at === null ? null : row.finished_at.getTime() - row.started_at.getTime(),
    outcome: row.outcome,
    error: row.error,
  };
  const whole = taskRecord.safeParse({ ...record, result: row.result });
  if (whole.success) return [whole.data];
  const known = taskRecord.safeParse({ ...record, result: null });
  return known.success ? [known.data] : [];
}
