import { createServer } from 'node:net';
import { join } from 'node:path';
import colors from 'picocolors';
import { duration, say } from './runtime/console';
import { instructions } from './instructions';
import { EXIT_INTERRUPTED, onInterrupt } from './runtime/interrupt';
import { processOnPort } from './runtime/listeners';
import { runPass } from './pass/run';
import { startPlatform } from './platform/platform';
import { LOOPBACK } from './runtime/ports';
import { createRunFolder } from './platform/run-folder';
import { takeRunLock } from './platform/run-lock';
import { Teardown } from './runtime/teardown';

export interface RunOptions {
  /** End after the pass instead of staying up. */
  readonly once: boolean;
  /** While it stays up, print what fails and not what succeeds. @default false */
  readonly quiet?: boolean;
  /** Folder of everything that the run writes. */
  readonly directory: string;
  readonly port?: number;
  readonly stripeSecretKey?: string;
  readonly stripeWebhookSecret?: string;
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

/**
 * Starts the platform, makes the pass, and stays up unless `once` is set.
 *
 * @returns the exit code: 0, 1 when a step failed, 130 when it was interrupted before the pass was over
 * @throws when the platform cannot start
 */
export async function run(options: RunOptions): Promise<number> {
  const teardown = new Teardown();
  const interrupted = new AbortController();
  onInterrupt(() => interrupted.abort());
  const { signal } = interrupted;
  const untilInterrupted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  const log = (message: string): void => {
    if (!signal.aborted) say(colors.dim(`  · ${message}`));
  };

  let codeOfInterrupt = EXIT_INTERRUPTED;
  const work = async (): Promise<number> => {
    const started = performance.now();
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
      `Up in ${duration(performance.now() - started)}: 2 PostgreSQL clusters, S3, SQS, Secrets Manager, ${stripe}, ` +
        `${functions.length} functions and ${schedules.length} schedules from the template`,
    );
    const failed = await runPass(platform, signal);
    if (signal.aborted) return codeOfInterrupt;
    say();
    if (failed.length > 0) {
      say(colors.red(`FAILED: ${failed.join('; ')}. The functions' logs are in ${platform.logDirectory}`));
      return 1;
    }
    say(colors.green(`All steps passed, ${duration(performance.now() - started)} after the start`));
    if (options.once) return 0;
    say();
    for (const line of instructions(platform, options.directory)) say(line);
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
