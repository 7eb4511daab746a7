import type { ClientBase } from 'pg';
import { EVENT_RETENTION_DAYS } from '../../core/providers/stripe/requests';
import { noTilled } from '../../core/providers/tilled/client';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { commitPage } from './commit-page';
import type { ReconciliationReport } from './contract';
import { NOTHING_FOUND } from './page-outcome';
import { TimeIsUp } from './in-flight';
import { PHASES, type Phase } from './phases';
import type { JudgedEntitlements, Progress, ReconciliationDependencies, Run, TimeRange } from './run';
import { closeRun, firstWindowStart, lastCompleteStart, lastTurns, openRun, type Ending } from './run-records';

const DAY_MS = 86_400_000;

/**
 * How far a run looks back behind the start of the last complete one: over what that left to settle, a quarter of an hour at
 * most, and over events that Stripe listed a little after it created them.
 */
const OVERLAP_MS = 3_600_000;

export interface ReconciliationOptions {
  /** How far to look back, at least; further if the last complete run is longer ago. */
  readonly daysBack: number;
  /** Find and record, but correct nothing. */
  readonly dryRun: boolean;
  /** Seconds before the start of the run that it does not look at; see `SETTLE_SECONDS`. */
  readonly settleSeconds: number;
  /** Whose entitlements are computed again from Stripe. */
  readonly entitlements: JudgedEntitlements;
  /** Subscriptions, and as many purchases, of a sample. */
  readonly sampledEntitlements: number;
}

/**
 * Brings the billing database in line with Stripe. Events that were never received are applied like delivered ones; then
 * every subscription, whatever its status and age, and of all other kinds what was created in the window, in an older part
 * that is another one each day, or may still change, are compared field by field. A snapshot is stored under the moment at
 * which it was requested, so it never overwrites a newer event. At last, entitlements are computed again from Stripe. Where Tilled is
 * taken, its missed events come last: Stripe does not wait for it.
 *
 * The next invocation continues a run that ran out of time or was killed: the daily schedule's, or an operator's. The
 * function does not invoke itself, so that stopping the schedule stops it.
 *
 * @throws OperationError when Stripe or the database fails, or an object could not be read. The run is then recorded as
 * failed, with the error; what it has corrected stays corrected
 */
export async function reconcile(
  dependencies: ReconciliationDependencies,
  { daysBack, dryRun, settleSeconds, entitlements, sampledEntitlements }: ReconciliationOptions,
): Promise<ReconciliationReport> {
  const { client, clock, stop = new AbortController().signal, apply = {}, tilled = noTilled } = dependencies;
  const startedAt = clock();
  const windowStartAt = await windowStart(dependencies, daysBack, startedAt);
  const turns = await lastTurns(client);
  const slice = await olderSlice(client, daysBack, windowStartAt, turns.slice);
  const wanted = { windowStartAt, startedAt, dryRun, settleSeconds, slice, turns, entitlements };
  const { progress, ...opened } = await openRun(client, wanted);
  const run: Run = { ...dependencies, stop, apply, tilled, dryRun, sampledEntitlements, ...opened };
  let ending: Ending;
  try {
    ending = (await readLists(run, progress)) ? { status: 'complete' } : { status: 'interrupted' };
    if (ending.status === 'complete') assertAllWasRead(run);
    await closeRun(run, ending);
  } catch (error) {
    await closeRun(run, { status: 'failed', error: messageOf(error) }).catch((cause: unknown) =>
      run.log.error('The failure of the run could not be recorded; the next invocation continues the run', {
        reason: messageOf(cause),
      }),
    );
    throw error;
  }
  return {
    runId: run.id,
    status: ending.status,
    dryRun,
    comparedUntil: new Date(run.window.endAtSeconds * 1000).toISOString(),
    uncomparedSeconds: Math.max(0, Math.floor(startedAt.getTime() / 1000) - run.window.endAtSeconds),
    ...run.tally.counters,
    kinds: run.tally.kinds,
    durationMs: clock().getTime() - startedAt.getTime(),
  };
}

/**
 * Reads the lists from the given position on.
 *
 * @param saved position of a run that is continued
 * @returns whether all were read to the end; if not, the time was up
 */
async function readLists(run: Run, saved: Progress | undefined): Promise<boolean> {
  const first = saved === undefined ? 0 : PHASES.findIndex(({ name }) => name === saved.phase);
  if (first < 0) throw new Error(`The run stopped in a list that is not read any more: ${saved?.phase}`);
  let progress = saved;
  for (const [index, phase] of [...PHASES.entries()].slice(first)) {
    progress = await readList(run, phase, progress ?? (await beginningOf(run, phase)));
    if (progress.lanes.some(({ done }) => done !== true)) return false;
    const conclusion = (await phase.conclude?.(run)) ?? NOTHING_FOUND;
    const next = PHASES[index + 1];
    // In one commit with the conclusion, which a run that is killed after it must not draw again.
    if (next !== undefined) progress = await beginningOf(run, next);
    await commitPage(run, conclusion, progress);
  }
  return true;
}

async function beginningOf(run: Run, phase: Phase): Promise<Progress> {
  return { phase: phase.name, lanes: await phase.lanes(run) };
}

/**
 * Reads one list from the given position on, a transaction for each page.
 *
 * @returns the position after the last page that was committed
 */
async function readList(run: Run, phase: Phase, from: Progress): Promise<Progress> {
  let progress = from;
  try {
    for await (const page of phase.pages(run, from.lanes)) {
      const result = await phase.examine(run, page);
      progress = { ...progress, lanes: progress.lanes.with(page.index, page.next) };
      await commitPage(run, result, progress);
    }
  } catch (error) {
    if (!(error instanceof TimeIsUp)) throw error;
  }
  return progress;
}

/** Back to the last complete run, so that no day without one is skipped, and never less than `daysBack`. */
async function windowStart({ client, log }: ReconciliationDependencies, daysBack: number, now: Date): Promise<Date> {
  const requestedMs = now.getTime() - daysBack * DAY_MS;
  const lastCompleteAt = await lastCompleteStart(client);
  const wantedMs =
    lastCompleteAt === undefined ? requestedMs : Math.min(requestedMs, lastCompleteAt.getTime() - OVERLAP_MS);
  const earliestMs = now.getTime() - EVENT_RETENTION_DAYS * DAY_MS;
  if (wantedMs < earliestMs) {
    log.warn('The last complete run is longer ago than Stripe lists events; objects are compared nevertheless', {
      lastCompleteRun: lastCompleteAt?.toISOString(),
      retentionDays: EVENT_RETENTION_DAYS,
    });
  }
  return new Date(Math.max(wantedMs, earliestMs));
}

/**
 * The part of the history before the window whose turn it is: as long as the window and behind that of the last complete
 * run, so that each run lists about twice the window, and everything since the first run has its turn.
 */
async function olderSlice(
  client: ClientBase,
  daysBack: number,
  windowStartAt: Date,
  last: TimeRange | undefined,
): Promise<TimeRange | undefined> {
  const first = await firstWindowStart(client);
  const end = Math.floor(windowStartAt.getTime() / 1000);
  const start = first === undefined ? end : Math.floor(first.getTime() / 1000);
  const gte = last === undefined || last.lt >= end ? start : last.lt;
  return gte >= end ? undefined : { gte, lt: Math.min(gte + (daysBack * DAY_MS) / 1000, end) };
}

/** A run that could not compare everything is not complete. */
function assertAllWasRead({ tally: { counters, problems } }: Run): void {
  if (counters.errors === 0) return;
  throw new OperationError(
    'reconciliation_incomplete',
    `${counters.errors} of the objects and events could not be read or applied: ${problems.join('; ')}`,
  );
}
