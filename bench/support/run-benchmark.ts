import { Teardown } from '../../local/runtime/teardown';

const INTERRUPTED = 130;

/**
 * Runs a benchmark and undoes what it started, whether it ends, fails or is interrupted. The process's exit status tells
 * which: a missed aim is a result, not a failure.
 */
export async function runBenchmark(measure: (teardown: Teardown) => Promise<void>): Promise<void> {
  const teardown = new Teardown();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      void teardown.run().finally(() => process.exit(INTERRUPTED));
    });
  }
  try {
    await measure(teardown);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await teardown.run();
  }
}
