import { storeStates } from '../../core/billing/store-states';
import { inTransaction, runInOrder } from '../../core/database/transaction';
import type { ComparedState } from './differences';
import type { PageOutcome } from './page-outcome';
import { recordFindings, rememberListed } from './records';
import { KEPT_PROBLEMS, type Counters, type Progress, type Run } from './run';
import { saveProgress } from './run-records';

/**
 * Stores what a page showed: corrections, findings, counts and where to continue commit together. A run that is killed
 * continues with the page that was not committed.
 *
 * @param progress where the run continues once this is committed
 */
export async function commitPage(run: Run, outcome: PageOutcome, progress: Progress): Promise<void> {
  const { client, id } = run;
  await inTransaction(client, async () => {
    await rememberListed(client, id, outcome.listedSubscriptions);
    const corrected = await correct(run, outcome.corrections);
    await recordFindings(client, id, outcome.findings, new Set([...corrected, ...outcome.recoveredEvents]));
    run.counters = {
      ...added(run.counters, outcome.counts),
      corrected: run.counters.corrected + corrected.size + outcome.recoveredEvents.size,
      errors: run.counters.errors + outcome.problems.length,
    };
    run.problems = [...run.problems, ...outcome.problems].slice(0, KEPT_PROBLEMS);
    await saveProgress(run, progress);
  });
}

/** @returns ids of the objects whose stored state changed; none in a dry run */
async function correct({ client, dryRun, apply }: Run, states: readonly ComparedState[]): Promise<ReadonlySet<string>> {
  if (dryRun || states.length === 0) return new Set();
  const run = runInOrder(client);
  const changed = await storeStates(run, states, { afterStore: (ids) => apply.afterStore?.(run, ids, states) });
  return new Set(states.map(({ row }) => row.id).filter((id) => changed.has(id)));
}

function added(counters: Counters, counts: Readonly<Partial<Counters>>): Counters {
  const sums = Object.entries(counts).map(([name, count]) => [name, counters[name as keyof Counters] + count]);
  return { ...counters, ...(Object.fromEntries(sums) as Partial<Counters>) };
}
