import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import colors from 'picocolors';
import { duration, say, table } from '../../local/runtime/console';
import { EXIT_INTERRUPTED, onInterrupt } from '../../local/runtime/interrupt';
import { restore } from '../../local/pass/archives';
import { deliverEvents } from '../../local/pass/deliveries';
import { heal } from '../../local/pass/healing';
import { migrate } from '../../local/pass/migration';
import { showState } from '../../local/pass/resulting-state';
import { runSteps } from '../../local/pass/run-steps';
import { Teardown } from '../../local/runtime/teardown';
import { installMinistack, MINISTACK_VERSION } from './ministack';
import { NOT_REHEARSED } from './not-rehearsed';
import type { RehearsalStep } from './rehearsal';
import { startRehearsal } from './start';
import { bootstrap } from './steps/bootstrap';
import { deploy } from './steps/deploy';
import { destroy } from './steps/destroy';
import { failIntoDestination, pageOnCall } from './steps/failure';
import { loseFirstRegion } from './steps/lose-region';
import { parkPoison } from './steps/poison';
import { recoverFromCopies, reconcileSuccessor } from './steps/recover-region';
import { backUpOnSchedule } from './steps/scheduled-backup';
import { checkSecondRegion } from './steps/second-region';
import { deploySuccessor } from './steps/take-over';
import { fillSecrets, refuseUnfilledSecrets } from './steps/unfilled-secrets';
import { rollBackUnderTraffic, updateUnderTraffic } from './steps/update';
import { startWatchdog } from './watchdog';

const STEPS: readonly RehearsalStep[] = [
  bootstrap,
  deploy,
  refuseUnfilledSecrets,
  fillSecrets,
  failIntoDestination,
  pageOnCall,
  { ...migrate, essential: true },
  deliverEvents,
  showState,
  parkPoison,
  backUpOnSchedule,
  checkSecondRegion,
  restore,
  heal,
  updateUnderTraffic,
  rollBackUnderTraffic,
  destroy,
  loseFirstRegion,
  deploySuccessor,
  recoverFromCopies,
  reconcileSuccessor,
];

function sayWhatIsLeft(): void {
  say();
  say(colors.bold('Not rehearsed, and what proves it instead'));
  const rows = NOT_REHEARSED.map(({ what, because, coveredBy }) => [what, because, coveredBy.join(', ')]);
  for (const line of table(['what', 'because', 'covered by'], rows)) say(`  ${line}`);
  say();
  say(colors.bold('Types of resources that were therefore not deployed'));
  for (const { what, types } of NOT_REHEARSED) if (types.length > 0) say(`  ${what}: ${types.join(', ')}`);
}

/** @returns the exit code: 0, 1 when a step failed, 130 when it was interrupted */
async function rehearse(python: string, interrupted: AbortSignal, teardown: Teardown): Promise<number> {
  const started = performance.now();
  const directory = mkdtempSync(path.join(tmpdir(), 'billing-operations-rehearsal-'));
  // When we are root, PostgreSQL runs as another account, which has to enter this folder.
  chmodSync(directory, 0o711);
  const watchdog = startWatchdog(directory);
  teardown.add(() => {
    rmSync(directory, { recursive: true, force: true });
    watchdog.dismiss();
  });
  const rehearsal = await startRehearsal({ directory, python, watchdog, teardown });
  say(
    `Up in ${duration(performance.now() - started)}: MiniStack ${MINISTACK_VERSION}, 2 PostgreSQL clusters, ` +
      `a stand-in for Stripe; functions run on Node ${process.versions.node}`,
  );
  const failed = await runSteps(STEPS, rehearsal, interrupted);
  if (interrupted.aborted) return EXIT_INTERRUPTED;
  sayWhatIsLeft();
  say();
  if (failed.length === 0) {
    say(colors.green(`All ${STEPS.length} steps passed, ${duration(performance.now() - started)} after the start`));
    return 0;
  }
  for (const line of rehearsal.troubles()) say(colors.dim(line));
  say(colors.red(`FAILED: ${failed.join('; ')}`));
  return 1;
}

async function main(): Promise<number> {
  const installation = installMinistack();
  if ('unavailable' in installation) {
    say(
      colors.yellow(
        `SKIPPED: MiniStack ${MINISTACK_VERSION} cannot be had on this machine, so the deployment is NOT rehearsed: ${installation.unavailable}`,
      ),
    );
    return 0;
  }
  const teardown = new Teardown();
  const interrupted = new AbortController();
  onInterrupt(() => interrupted.abort());
  const untilInterrupted = new Promise<number>((resolve) =>
    interrupted.signal.addEventListener('abort', () => resolve(EXIT_INTERRUPTED)),
  );
  const outcome = rehearse(installation.python, interrupted.signal, teardown);
  outcome.catch(() => undefined);
  try {
    return await Promise.race([outcome, untilInterrupted]);
  } finally {
    await teardown.run();
  }
}

main().then(
  // Not `process.exitCode`: a client that keeps its connection open must not keep the process up.
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  },
);
