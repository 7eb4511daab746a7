import colors from 'picocolors';
import { duration, say } from '../console';
import type { Platform } from '../platform';
import { StripeState } from '../stripe/state';
import { backUp, restore } from './archives';
import { deliverEvents } from './deliveries';
import { heal } from './healing';
import { listenOnLoopback } from './loopback';
import { migrate } from './migration';
import { showState } from './resulting-state';
import type { PassContext, Step } from './steps';

const STEPS: readonly Step[] = [migrate, deliverEvents, showState, backUp, restore, heal, listenOnLoopback];

async function runStep(step: Step, context: PassContext, interrupted: AbortSignal): Promise<boolean> {
  say();
  say(colors.bold(step.title));
  const reason = step.skip?.(context);
  if (reason !== undefined) {
    say(`  ${colors.yellow('SKIPPED')} ${reason}`);
    return true;
  }
  const started = performance.now();
  try {
    await step.run(context, (line) => say(`  ${line}`));
    say(`  ${colors.green('OK')} ${duration(performance.now() - started)}`);
    return true;
  } catch (error) {
    // What fails because everything is being stopped says nothing about the step.
    if (!interrupted.aborted)
      say(`  ${colors.red('FAILED')} ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

/**
 * One full pass through the platform, each step with its evidence on standard output.
 *
 * @param interrupted ends the pass before its next step
 * @returns the titles of the steps that failed; later steps are taken all the same, as most do not need the earlier
 */
export async function runPass(platform: Platform, interrupted: AbortSignal): Promise<string[]> {
  const failed: string[] = [];
  const [billing, main] = [await platform.databases.billing.connect(), await platform.databases.main.connect()];
  const stripe = platform.stripe?.state ?? new StripeState();
  const context: PassContext = { platform, billing, main, stripe, scenario: undefined, backups: new Map() };
  try {
    for (const step of STEPS) {
      if (interrupted.aborted) break;
      if (!(await runStep(step, context, interrupted))) failed.push(step.title);
    }
  } finally {
    // They are closed already when the pass was interrupted.
    await Promise.allSettled([billing.end(), main.end()]);
  }
  return failed;
}
