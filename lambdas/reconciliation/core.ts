import { messageOf, OperationError } from '../../core/runtime/errors';
import { EVENT_RETENTION_DAYS } from '../../core/providers/stripe/requests';
import { commitPage } from './commit-page';
import { NOTHING_FOUND } from './page-outcome';
import { PHASE_DEFINITIONS } from './phases';
import { PHASES, type Counters, type PhaseName, type Progress, type ReconciliationDependencies, type Run } from './run';
import { closeRun, lastCompleteStart, openRun, type Ending } from './run-records';

const DAY_MS = 86_400_000;

/**
 * How much of what the last complete run looked at is looked at again: what it left to settle, which is a quarter of an
 * hour at most, and events that Stripe listed a little after it made them.
 */
const OVERLAP_MS = 3_600_000;

export interface ReconciliationOptions {
  /** How far to look back, at least; further if the last complete run is longer ago. */
  readonly daysBack: number;
  /** Find and record, but correct nothing. */
  readonly dryRun: boolean;
  /** Seconds before the start of the run that it does not look at; see `SETTLE_SECONDS`. */
  readonly settleSeconds: number;
}

export interface ReconciliationSummary extends Readonly<Counters> {
  readonly runId: string;
  /** `interrupted` when the time was up: the next invocation goes on with this run. */
  readonly status: 'complete' | 'interrupted';
  readonly dry_run: boolean;
  /** Of this invocation. */
  readonly durationMs: number;
}

/**
 * Brings the billing database in line with Stripe: events that were never received go through the same application as
 * delivered ones, then every subscription (whatever its status and age) and the checkout sessions, charges and refunds of
 * the window are compared field by field. A snapshot is stored under the moment it was requested, so it never overwrites a
 * newer event.
 *
 * A run that ran out of time or was killed goes on where it stopped. Nobody invokes it for that: the daily schedule does,
 * or whoever needs it sooner; a function that invokes itself would go on when it should be stopped.
 *
 * @throws OperationError when Stripe or the database fails, or not everything could be read; the run is then recorded as
 * failed, with the error, and what was corrected until then stays corrected
 */
export async function reconcile(
  dependencies: ReconciliationDependencies,
  { daysBack, dryRun, settleSeconds }: ReconciliationOptions,
): Promise<ReconciliationSummary> {
  const { client, clock } = dependencies;
  const begun = clock();
  const earliest = await windowStart(dependencies, daysBack, begun);
  const { progress, windowStart: start, until, startedAt, ...opened } = await openRun(client, earliest, begun, dryRun);
  const run: Run = {
    ...dependencies,
    stop: dependencies.stop ?? new AbortController().signal,
    apply: dependencies.apply ?? {},
    ...opened,
    dryRun,
    since: Math.floor(start.getTime() / 1000),
    // Stripe's times are whole seconds: with nothing left to settle, the one at hand belongs to the window.
    until: until ?? Math.floor(startedAt.getTime() / 1000) + 1 - settleSeconds,
  };
  let ending: Ending;
  try {
    ending = (await readPhases(run, progress)) ? { status: 'complete' } : { status: 'interrupted' };
    if (ending.status === 'complete') assertAllWasRead(run);
    await closeRun(run, ending);
  } catch (error) {
    await closeRun(run, { status: 'failed', error: messageOf(error) }).catch((cause: unknown) =>
      run.log.error('The failure of the run could not be recorded; the next one goes on with it', {
        reason: messageOf(cause),
      }),
    );
    throw error;
  }
  return {
    runId: run.id,
    status: ending.status,
    dry_run: dryRun,
    ...run.counters,
    durationMs: clock().getTime() - begun.getTime(),
  };
}

/** @returns whether everything was read; if not, the time was up */
async function readPhases(run: Run, progress: Progress | undefined): Promise<boolean> {
  let current = progress ?? (await begin(run, PHASES[0]));
  for (;;) {
    if (!(await readPhase(run, current))) return false;
    const next = PHASES[PHASES.indexOf(current.phase) + 1];
    const { conclude } = PHASE_DEFINITIONS[current.phase];
    const outcome = (await conclude?.(run)) ?? NOTHING_FOUND;
    current = next === undefined ? finished(current) : await begin(run, next);
    await commitPage(run, outcome, current);
    if (next === undefined) return true;
  }
}

async function begin(run: Run, phase: PhaseName): Promise<Progress> {
  return { phase, lanes: await PHASE_DEFINITIONS[phase].plan(run) };
}

function finished({ phase, lanes }: Progress): Progress {
  return { phase, lanes: lanes.map((lane) => ({ ...lane, done: true })) };
}

/** @returns whether the end of the list was reached */
async function readPhase(run: Run, { phase, lanes: planned }: Progress): Promise<boolean> {
  const lanes = [...planned];
  for await (const { outcome, index, next } of PHASE_DEFINITIONS[phase].examine(run, planned)) {
    lanes[index] = next;
    await commitPage(run, outcome, { phase, lanes });
  }
  return lanes.every(({ done }) => done === true);
}

/** Back to the last complete run, so that days on which none was complete are not skipped, but never less than asked for. */
async function windowStart({ client, log }: ReconciliationDependencies, daysBack: number, now: Date): Promise<Date> {
  const asked = now.getTime() - daysBack * DAY_MS;
  const last = await lastCompleteStart(client);
  const wanted = last === undefined ? asked : Math.min(asked, last.getTime() - OVERLAP_MS);
  const possible = now.getTime() - EVENT_RETENTION_DAYS * DAY_MS;
  if (wanted < possible) {
    log.warn('The last complete run is longer ago than Stripe lists events; objects are compared all the same', {
      lastCompleteRun: last?.toISOString(),
      retentionDays: EVENT_RETENTION_DAYS,
    });
  }
  return new Date(Math.max(wanted, possible));
}

/** A run that could not compare everything is not complete. */
function assertAllWasRead({ counters: { errors }, problems }: Run): void {
  if (errors === 0) return;
  throw new OperationError(
    'reconciliation_incomplete',
    `${errors} of Stripe's objects and events could not be read or applied: ${problems.join('; ')}`,
  );
}
