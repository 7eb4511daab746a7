import colors from 'picocolors';
import { duration, say as print, type Tell } from '../runtime/console';
import type { Step } from './steps';

async function runStep<Context>(
  step: Step<Context>,
  context: Context,
  interrupted: AbortSignal,
  say: Tell,
): Promise<boolean> {
  say('');
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
    // A failure while everything is being stopped says nothing about the step.
    if (!interrupted.aborted)
      say(`  ${colors.red('FAILED')} ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

/**
 * Runs the steps in order, each with its evidence.
 *
 * @param interrupted ends before the next step
 * @param say prints a line. @default - on standard output
 * @returns the titles of the steps that failed; later steps still run, unless the failed one is essential
 */
export async function runSteps<Context>(
  steps: readonly Step<Context>[],
  context: Context,
  interrupted: AbortSignal,
  say: Tell = print,
): Promise<string[]> {
  const failed: string[] = [];
  for (const step of steps) {
    if (interrupted.aborted) break;
    if (await runStep(step, context, interrupted, say)) continue;
    failed.push(step.title);
    if (step.essential) break;
  }
  return failed;
}
