import { migrate } from '../pass/migration';
import { runSteps } from '../pass/run-steps';
import type { Platform } from '../platform/platform';
import type { Tell } from '../runtime/console';
import { StripeState } from '../stripe/state';
import type { Scenario, ScenarioContext } from './scenario';

/**
 * Runs the steps of a scenario, each with its evidence. The first on a platform migrates its databases before.
 *
 * @param interrupted ends it before its next step
 * @returns the titles of the steps that failed; later steps still run, unless the migration failed
 */
export async function runScenario(
  platform: Platform,
  { steps }: Pick<Scenario, 'steps'>,
  interrupted: AbortSignal,
  say: Tell,
): Promise<string[]> {
  const [billing, main] = [await platform.databases.billing.connect(), await platform.databases.main.connect()];
  const stripe = platform.stripe?.state ?? new StripeState();
  const context: ScenarioContext = { platform, billing, main, stripe, scenario: undefined, backups: new Map() };
  try {
    const failed = platform.consuming ? [] : await runSteps([migrate], context, interrupted, say);
    if (interrupted.aborted || failed.length > 0) return failed;
    // Until here, events that arrived waited in the queue: without tables, they would fail and be parked.
    platform.startConsumers();
    return [...failed, ...(await runSteps(steps, context, interrupted, say))];
  } finally {
    // They are closed already when it was interrupted.
    await Promise.allSettled([billing.end(), main.end()]);
  }
}
