import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Percent of what is in use by which the heap may grow before garbage is collected again. V8's own choice for a process of
 * gigabytes is 300: half of a restore's memory is garbage then. Less costs time for collections.
 */
const GROWTH_PERCENT = 40;

/** Keeps the heap of a function that handles thousands of tables close to what is in use. To be called when it is loaded. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}

/**
 * Collects the garbage of this thread at once: some 100 ms for a heap of 100 MB. Worth it before a thread starts that takes as
 * much memory again.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
