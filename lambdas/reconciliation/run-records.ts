import type { ClientBase } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import type { Lane } from '../../core/providers/stripe/pages';
import { COUNTER_NAMES, type Counters, type PhaseName, type Progress, type Run } from './run';

/** Held for the length of a run. Any constant does, as long as nothing else in the billing database takes it. */
const RUN_LOCK = 7_303_014;

/**
 * How long after its start an unfinished run may go on: over a missed schedule, but well within the 30 days after which
 * Stripe no longer knows the event that a list would go on after.
 */
const RESUMABLE_HOURS = 36;

/** What is known of a run that begins, or goes on. */
export interface OpenedRun {
  readonly id: string;
  readonly windowStart: Date;
  readonly startedAt: Date;
  /** End of the window, in seconds since 1970, of a run that goes on. */
  readonly until: number | undefined;
  readonly counters: Counters;
  readonly problems: readonly string[];
  /** Nothing when the run is a new one. */
  readonly progress: Progress | undefined;
}

interface SavedProgress {
  readonly phase?: PhaseName;
  readonly lanes?: readonly Lane[];
  readonly until?: number;
  readonly problems?: readonly string[];
}

type RunRow = Record<(typeof COUNTER_NAMES)[number], number> & {
  readonly id: string;
  readonly window_start: Date;
  readonly started_at: Date;
  readonly progress: SavedProgress;
};

/**
 * Opens a run: goes on with one that ran out of time or was killed, if it looked for the same, or begins a new one.
 *
 * @throws OperationError `reconciliation_running` (retryable) while another run is at it
 */
export async function openRun(client: ClientBase, earliest: Date, now: Date, dryRun: boolean): Promise<OpenedRun> {
  const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [RUN_LOCK]);
  if (!lock.rows[0]?.taken) {
    throw new OperationError('reconciliation_running', 'Another reconciliation is running; wait for it to finish');
  }
  const run = (await resumeRun(client, earliest, now, dryRun)) ?? (await beginRun(client, earliest, now, dryRun));
  const { phase, lanes, until, problems = [] } = run.progress;
  return {
    id: run.id,
    windowStart: run.window_start,
    startedAt: run.started_at,
    until,
    counters: Object.fromEntries(COUNTER_NAMES.map((name) => [name, run[name]])) as unknown as Counters,
    problems,
    progress: phase === undefined || lanes === undefined ? undefined : { phase, lanes },
  };
}

/** Only one run is open at a time, so `running` without the lock means that its process is gone. */
async function resumeRun(client: ClientBase, earliest: Date, now: Date, dryRun: boolean): Promise<RunRow | undefined> {
  const resumable = new Date(now.getTime() - RESUMABLE_HOURS * 3_600_000);
  const { rows } = await client.query<RunRow>(
    `UPDATE billing.reconciliation_runs SET status = 'running', invocations = invocations + 1
     WHERE id = (
       SELECT id FROM billing.reconciliation_runs
       WHERE status IN ('running', 'interrupted') AND dry_run = $1 AND started_at > $2 AND window_start <= $3
       ORDER BY id DESC LIMIT 1
     )
     RETURNING *`,
    [dryRun, resumable, earliest],
  );
  const resumed = rows[0];
  // A correcting run stays open while somebody looks with a dry one.
  await client.query(
    `WITH closed AS (
       UPDATE billing.reconciliation_runs
       SET status = 'failed', finished_at = now(), error = 'The run was interrupted and not continued'
       WHERE status IN ('running', 'interrupted') AND id <> $1 AND (dry_run = $2 OR started_at <= $3)
       RETURNING id
     )
     DELETE FROM billing.reconciliation_listed_subscriptions WHERE run_id IN (SELECT id FROM closed)`,
    [resumed?.id ?? 0, dryRun, resumable],
  );
  return resumed;
}

async function beginRun(client: ClientBase, earliest: Date, now: Date, dryRun: boolean): Promise<RunRow> {
  const { rows } = await client.query<RunRow>(
    `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at)
     VALUES ('running', $1, $2, $3) RETURNING *`,
    [dryRun, earliest, now],
  );
  const [run] = rows;
  if (run === undefined) throw new OperationError('reconciliation_unrecorded', 'The run could not be recorded');
  return run;
}

/** Start of the last run that was complete and corrected what it found; everything before it has been looked at. */
export async function lastCompleteStart(client: ClientBase): Promise<Date | undefined> {
  const { rows } = await client.query<{ started_at: Date | null }>(
    `SELECT max(started_at) AS started_at FROM billing.reconciliation_runs WHERE status = 'complete' AND NOT dry_run`,
  );
  return rows[0]?.started_at ?? undefined;
}

/** Saves how far a run has read and what it counted; in the transaction that stores what the page corrected. */
export async function saveProgress(run: Run, progress: Progress): Promise<void> {
  const { text, values } = counterAssignments(run.counters, 3);
  await run.client.query(`UPDATE billing.reconciliation_runs SET progress = $2, ${text} WHERE id = $1`, [
    run.id,
    JSON.stringify({ ...progress, until: run.until, problems: run.problems } satisfies SavedProgress),
    ...values,
  ]);
}

/** How an invocation of a run ended. */
export type Ending =
  | { readonly status: 'complete' }
  /** Out of time; goes on in the next invocation. */
  | { readonly status: 'interrupted' }
  | { readonly status: 'failed'; readonly error: string };

export async function closeRun(run: Pick<Run, 'client' | 'id' | 'counters'>, ending: Ending): Promise<void> {
  const { text, values } = counterAssignments(run.counters, 4);
  await run.client.query(
    `UPDATE billing.reconciliation_runs
     SET status = $2, error = $3, finished_at = CASE WHEN $2 = 'interrupted' THEN NULL ELSE now() END, ${text}
     WHERE id = $1`,
    [run.id, ending.status, ending.status === 'failed' ? ending.error : null, ...values],
  );
  if (ending.status !== 'interrupted') {
    await run.client.query('DELETE FROM billing.reconciliation_listed_subscriptions WHERE run_id = $1', [run.id]);
  }
  await run.client.query('SELECT pg_advisory_unlock($1)', [RUN_LOCK]);
}

function counterAssignments(counters: Counters, first: number): { text: string; values: number[] } {
  return {
    text: COUNTER_NAMES.map((name, index) => `${name} = $${first + index}`).join(', '),
    values: COUNTER_NAMES.map((name) => counters[name]),
  };
}
