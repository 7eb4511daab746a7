import type { ClientBase } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import { COUNTER_COLUMNS, countersFrom, type CounterName, type Counters } from './counters';
import { forgetListed } from './listed';
import type { KindCounts, Tally } from './page-outcome';
import type { JudgedEntitlements, Progress, Run, TimeRange, Turns, Window } from './run';

/** Advisory lock of a run, for its whole length. Any number that nothing else in the billing database uses. */
const RUN_LOCK = 7_303_014;

/**
 * How long after its start an unfinished run is continued: long enough for a missed schedule, and far less than the 30 days
 * after which Stripe no longer knows the event that the position of a list refers to.
 */
const RESUMABLE_HOURS = 36;

export interface RunToOpen {
  /** Start of the window; a run whose window starts later does not count as the same. */
  readonly windowStartAt: Date;
  readonly startedAt: Date;
  readonly dryRun: boolean;
  /** Seconds before the start of a new run that it does not look at. */
  readonly settleSeconds: number;
  /** Older part of a new run. @default none */
  readonly slice: TimeRange | undefined;
  readonly turns: Turns;
  /** A run that judges all entitlements also counts as one that judges a sample. */
  readonly entitlements: JudgedEntitlements;
}

/** A run that begins or is continued. */
export interface OpenedRun {
  readonly id: string;
  readonly window: Window;
  readonly entitlements: JudgedEntitlements;
  readonly turns: Turns;
  readonly taken: Map<string, string>;
  readonly tally: Tally;
  /** Position of a run that is continued; `undefined` before its first page. */
  readonly progress: Progress | undefined;
}

type SavedProgress = Partial<
  Progress &
    Pick<Window, 'endAtSeconds' | 'slice'> &
    Pick<Tally, 'problems'> &
    Pick<RunToOpen, 'entitlements'> & { readonly taken: Turns['ids'] }
>;

type RunRow = Readonly<Record<(typeof COUNTER_COLUMNS)[CounterName], number>> & {
  readonly id: string;
  readonly window_start: Date;
  readonly started_at: Date;
  readonly progress: SavedProgress;
  readonly kinds: KindCounts;
};

/**
 * Continues the run that ran out of time or was killed, if it has the same purpose, or begins a new one.
 *
 * @throws OperationError `reconciliation_running` (retryable) while another run is under way
 */
export async function openRun(client: ClientBase, wanted: RunToOpen): Promise<OpenedRun> {
  const lock = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [RUN_LOCK]);
  if (!lock.rows[0]?.taken) {
    throw new OperationError('reconciliation_running', 'Another reconciliation is running; wait for it to finish');
  }
  const run = (await resumeRun(client, wanted)) ?? (await beginRun(client, wanted));
  const { phase, lanes, endAtSeconds, slice, entitlements = wanted.entitlements, taken, problems = [] } = run.progress;
  return {
    id: run.id,
    window: {
      startAtSeconds: secondsOf(run.window_start),
      // Stripe's times are whole seconds: with nothing left to settle, the current second belongs to the window.
      endAtSeconds: endAtSeconds ?? secondsOf(run.started_at) + 1 - wanted.settleSeconds,
      slice: endAtSeconds === undefined ? wanted.slice : slice,
    },
    entitlements,
    turns: wanted.turns,
    taken: new Map(Object.entries(taken ?? {})),
    tally: {
      kinds: run.kinds,
      counters: countersFrom((_name, column) => run[column]),
      problems,
    },
    progress: phase === undefined || lanes === undefined ? undefined : { phase, lanes },
  };
}

const secondsOf = (time: Date) => Math.floor(time.getTime() / 1000);

/** Only one run at a time holds the lock, so the process of a `running` one without it has ended. */
async function resumeRun(
  client: ClientBase,
  { windowStartAt, startedAt, dryRun, entitlements }: RunToOpen,
): Promise<RunRow | undefined> {
  const resumableFrom = new Date(startedAt.getTime() - RESUMABLE_HOURS * 3_600_000);
  const { rows } = await client.query<RunRow>(
    `UPDATE billing.reconciliation_runs SET status = 'running', invocations = invocations + 1
     WHERE id = (
       SELECT id FROM billing.reconciliation_runs
       WHERE status IN ('running', 'interrupted') AND dry_run = $1 AND started_at > $2 AND window_start <= $3
         AND ($4 = 'sample' OR progress ->> 'entitlements' = $4)
       ORDER BY id DESC LIMIT 1
     )
     RETURNING *`,
    [dryRun, resumableFrom, windowStartAt, entitlements],
  );
  const resumed = rows[0];
  // A correcting run stays open during a dry run.
  await client.query(
    `WITH closed AS (
       UPDATE billing.reconciliation_runs
       SET status = 'failed', finished_at = now(), error = 'The run was interrupted and not continued'
       WHERE status IN ('running', 'interrupted') AND id <> $1 AND (dry_run = $2 OR started_at <= $3)
       RETURNING id
     )
     DELETE FROM billing.reconciliation_listed_objects WHERE run_id IN (SELECT id FROM closed)`,
    [resumed?.id ?? 0, dryRun, resumableFrom],
  );
  return resumed;
}

async function beginRun(client: ClientBase, { windowStartAt, startedAt, dryRun }: RunToOpen): Promise<RunRow> {
  const { rows } = await client.query<RunRow>(
    `INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at)
     VALUES ('running', $1, $2, $3) RETURNING *`,
    [dryRun, windowStartAt, startedAt],
  );
  const [run] = rows;
  if (run === undefined) throw new OperationError('reconciliation_unrecorded', 'The run could not be recorded');
  return run;
}

/** Start of the last complete run that corrected what it found: everything before it was compared. */
export async function lastCompleteStart(client: ClientBase): Promise<Date | undefined> {
  const { rows } = await client.query<{ started_at: Date | null }>(
    `SELECT max(started_at) AS started_at FROM billing.reconciliation_runs WHERE status = 'complete' AND NOT dry_run`,
  );
  return rows[0]?.started_at ?? undefined;
}

/** What had its turn up to the last complete run that corrected what it found. */
export async function lastTurns(client: ClientBase): Promise<Turns> {
  const { rows } = await client.query<{ ids: Turns['ids'] | null; slice: TimeRange | null }>(
    `SELECT progress -> 'taken' AS ids, progress -> 'slice' AS slice FROM billing.reconciliation_runs
     WHERE status = 'complete' AND NOT dry_run ORDER BY started_at DESC LIMIT 1`,
  );
  return { ids: rows[0]?.ids ?? {}, slice: rows[0]?.slice ?? undefined };
}

/** Start of the window of the first run of all: what is older was never compared, except subscriptions. */
export async function firstWindowStart(client: ClientBase): Promise<Date | undefined> {
  const { rows } = await client.query<{ first: Date | null }>(
    'SELECT min(window_start) AS first FROM billing.reconciliation_runs',
  );
  return rows[0]?.first ?? undefined;
}

/** Saves the position of a run and its counters; in the transaction that writes the page. */
export async function saveProgress(
  { client, id, window: { endAtSeconds, slice }, entitlements, turns, taken }: Run,
  progress: Progress,
  { counters, kinds, problems }: Tally,
): Promise<void> {
  const { text, values } = counterAssignments(counters, 4);
  await client.query(`UPDATE billing.reconciliation_runs SET progress = $2, kinds = $3, ${text} WHERE id = $1`, [
    id,
    JSON.stringify({
      ...progress,
      endAtSeconds,
      slice,
      entitlements,
      taken: { ...turns.ids, ...Object.fromEntries(taken) },
      problems,
    } satisfies SavedProgress),
    JSON.stringify(kinds),
    ...values,
  ]);
}

/** How an invocation of a run ended. */
export type Ending =
  | { readonly status: 'complete' }
  /** Out of time; the next invocation continues the run. */
  | { readonly status: 'interrupted' }
  | { readonly status: 'failed'; readonly error: string };

export async function closeRun({ client, id, tally }: Run, ending: Ending): Promise<void> {
  const { text, values } = counterAssignments(tally.counters, 4);
  await client.query(
    `UPDATE billing.reconciliation_runs
     SET status = $2, error = $3, finished_at = CASE WHEN $2 = 'interrupted' THEN NULL ELSE now() END, ${text}
     WHERE id = $1`,
    [id, ending.status, ending.status === 'failed' ? ending.error : null, ...values],
  );
  if (ending.status !== 'interrupted') {
    await forgetListed(client, id);
  }
  await client.query('SELECT pg_advisory_unlock($1)', [RUN_LOCK]);
}

function counterAssignments(counters: Counters, first: number): { text: string; values: number[] } {
  return {
    text: Object.values(COUNTER_COLUMNS)
      .map((column, index) => `${column} = $${first + index}`)
      .join(', '),
    values: (Object.keys(COUNTER_COLUMNS) as CounterName[]).map((name) => counters[name]),
  };
}
