import type { Platform } from '../platform/platform';
import { StripeState } from '../stripe/state';
import { backUp, restore } from './archives';
import { sendCanary } from './canary';
import { deliverEvents } from './deliveries';
import { heal } from './healing';
import { listenOnLoopback } from './loopback';
import { migrate } from './migration';
import { runSteps } from './run-steps';
import { showState } from './resulting-state';
import type { PassContext, Step } from './steps';

const STEPS: readonly Step[] = [deliverEvents, sendCanary, showState, backUp, restore, heal, listenOnLoopback];

/**
 * One full pass through the platform, each step with its evidence on standard output.
 *
 * @param interrupted ends the pass before its next step
 * @returns the titles of the steps that failed; later steps still run, as most do not need the earlier ones
 */
export async function runPass(platform: Platform, interrupted: AbortSignal): Promise<string[]> {
  const [billing, main] = [await platform.databases.billing.connect(), await platform.databases.main.connect()];
  const stripe = platform.stripe?.state ?? new StripeState();
  const context: PassContext = { platform, billing, main, stripe, scenario: undefined, backups: new Map() };
  try {
    const failed = await runSteps([migrate], context, interrupted);
    if (interrupted.aborted) return failed;
    // Until here, events that arrived waited in the queue: without tables, they would fail and be parked.
    platform.startConsumers();
    return [...failed, ...(await runSteps(STEPS, context, interrupted))];
  } finally {
    // They are closed already when the pass was interrupted.
    await Promise.allSettled([billing.end(), main.end()]);
  }
}
