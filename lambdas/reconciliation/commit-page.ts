import { storeStates } from '../../core/billing/store-states';
import { inTransaction, type RunStatement } from '../../core/database/transaction';
import { sameLines } from './entitlements';
import { storedGrants } from './judge';
import { rememberListed } from './listed';
import { addToTally, type PageOutcome } from './page-outcome';
import { recordFindings } from './records';
import type { Progress, Run } from './run';
import { saveProgress } from './run-records';

/**
 * Writes what a page has shown, in one transaction: corrections, findings, counters and where to continue. A run that is
 * killed continues behind its last committed page, and counts and corrects nothing twice.
 *
 * @param progress position of the run once this page is committed
 */
export async function commitPage(run: Run, outcome: PageOutcome, progress: Progress): Promise<void> {
  const { client, id } = run;
  run.tally = await inTransaction(client, async (execute) => {
    await rememberListed(client, id, outcome.listed);
    const stored = await storeCorrections(run, execute, outcome);
    const corrected = new Set([...outcome.recoveredEvents, ...stored]);
    await recordFindings(client, id, outcome.findings, corrected);
    const tally = addToTally(run.tally, outcome, corrected.size);
    await saveProgress(run, progress, tally);
    return tally;
  });
}

/** @returns ids of the objects that are in line with Stripe now; none in a dry run */
async function storeCorrections(
  { client, dryRun, apply }: Run,
  execute: RunStatement,
  { corrections, judged }: PageOutcome,
): Promise<readonly string[]> {
  if (dryRun || corrections.length === 0) return [];
  const changed = await storeStates(execute, corrections, { afterStore: apply.afterStore });
  if (judged.size === 0) return corrections.map(({ row }) => row.id).filter((id) => changed.has(id));
  const inLine: string[] = [];
  for (const [source, grants] of judged) {
    if (sameLines(await storedGrants(client, source), grants)) inLine.push(source);
  }
  return inLine;
}
