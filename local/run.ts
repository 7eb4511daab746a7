import { createServer } from 'node:net';
import { join } from 'node:path';
import colors from 'picocolors';
import { duration, say } from './runtime/console';
import { instructions } from './instructions';
import { EXIT_INTERRUPTED, onInterrupt } from './runtime/interrupt';
import { processOnPort } from './runtime/listeners';
import { startPlatform, type Platform } from './platform/platform';
import { LOOPBACK } from './runtime/ports';
import { createRunFolder } from './platform/run-folder';
import { takeRunLock } from './platform/run-lock';
import { Teardown } from './runtime/teardown';
import { runOnRunning, serveScenarios } from './scenarios/remote';
import { runScenario } from './scenarios/run';
import type { Scenario } from './scenarios/scenario';

export interface RunOptions {
  /** End after the scenario instead of staying up. */
  readonly once: boolean;
  /** What is run when the platform is up. */
  readonly scenario: Scenario;
  /** While it stays up, print what fails and not what succeeds. @default false */
  readonly quiet?: boolean;
  /** Folder of everything that the run writes. */
  readonly directory: string;
  readonly port?: number;
  readonly stripeSecretKey?: string;
  readonly stripeWebhookSecret?: string;
  /** Start another server, which `ops move` moves billing to. @default false */
  readonly secondServer?: boolean;
}

/** Fails before anything is started when the wanted port is taken. */
async function requireFree(port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, LOOPBACK, resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const holder = processOnPort(port);
    const who = holder === undefined ? 'another program' : `process ${holder}`;
    throw new Error(`Port ${port} is taken by ${who}. Set PORT to another one, or leave it out for a free one.`, {
      cause: error,
    });
  } finally {
    server.close();
  }
}

/** Has the platform that is up in the folder run the scenario. @returns the exit code; undefined when there is none */
export async function runThere({
  directory,
  scenario,
}: Pick<RunOptions, 'directory' | 'scenario'>): Promise<number | undefined> {
  const started = performance.now();
  const failed = await runOnRunning(directory, scenario.name, say);
  if (failed === undefined) return undefined;
  say();
  sayOutcome(failed, started, 'Its log is where npm start runs');
  return failed.length === 0 ? 0 : 1;
}

function sayOutcome(failed: readonly string[], started: number, where: string): void {
  if (failed.length > 0) say(colors.red(`FAILED: ${failed.join('; ')}. ${where}`));
  else say(colors.green(`All steps passed, ${duration(performance.now() - started)} after the start`));
}

/** Starts the platform in the folder of the options. */
async function start(options: RunOptions, teardown: Teardown, signal: AbortSignal): Promise<Platform> {
  const started = performance.now();
  const log = (message: string): void => {
    if (!signal.aborted) say(colors.dim(`  · ${message}`));
  };
  createRunFolder(options.directory);
  const lock = takeRunLock(join(options.directory, 'run.lock'));
  teardown.add(() => lock.release());
  if (lock.recoveredFrom !== undefined)
    log(`process ${lock.recoveredFrom.pid} ended without cleaning up; doing so now`);
  if (options.port !== undefined) await requireFree(options.port);
  say(`Starting in ${options.directory}; what a former run left there is discarded`);
  const print = (line: string): void => {
    if (!signal.aborted) say(`  ${line}`);
  };
  const platform = await startPlatform({ ...options, log, print }, teardown);
  const { functions, schedules } = platform.template;
  const stripe = platform.stripe === undefined ? 'the real Stripe, in test mode' : 'a stand-in for Stripe';
  say(
    `Up in ${duration(performance.now() - started)}: 2 PostgreSQL clusters, S3, SQS, Secrets Manager, ${stripe}, one for Tilled, ` +
      `${functions.length} functions and ${schedules.length} schedules from the template`,
  );
  return platform;
}

/**
 * Starts the platform, runs the scenario, and stays up unless `once` is set.
 *
 * @returns the exit code: 0, 1 when a step failed, 130 when it was interrupted before the scenario was over
 * @throws when the platform cannot start
 */
export async function run(options: RunOptions): Promise<number> {
  const teardown = new Teardown();
  const interrupted = new AbortController();
  onInterrupt(() => interrupted.abort());
  const { signal } = interrupted;
  const untilInterrupted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

  let codeOfInterrupt = EXIT_INTERRUPTED;
  const work = async (): Promise<number> => {
    const started = performance.now();
    const platform = await start(options, teardown, signal);
    const failed = await runScenario(platform, options.scenario, signal, say);
    if (signal.aborted) return codeOfInterrupt;
    say();
    sayOutcome(failed, started, `The functions' logs are in ${platform.logDirectory}`);
    if (failed.length > 0) return 1;
    if (options.once) return 0;
    const runAgain = (scenario: Scenario, tell: (line: string) => void) =>
      runScenario(platform, scenario, signal, tell);
    await serveScenarios(options.directory, runAgain, teardown);
    say();
    for (const line of await instructions(platform, options.directory)) say(line);
    say();
    say(`Ctrl-C stops it. What ${options.quiet ? 'fails' : 'arrives and what runs'} is printed here:`);
    if (!options.quiet) platform.activity.showAll();
    // From here on, an interrupt is the ordinary end.
    codeOfInterrupt = 0;
    await untilInterrupted;
    return codeOfInterrupt;
  };

  // A step of the start cannot be interrupted, so an interrupt does not wait for it.
  const outcome = work();
  outcome.catch(() => undefined);
  try {
    return await Promise.race([outcome, untilInterrupted.then(() => codeOfInterrupt)]);
  } finally {
    await teardown.run();
  }
}
