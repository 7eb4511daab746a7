import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Tables of a database from which memory is spared. 500 of them take three quarters of what a function may use; with fewer,
 * the collections cost a backup a twentieth of its time, and it takes no less memory.
 */
const MANY_TABLES = 200;
/**
 * Percent of what is in use by which the heap may grow before garbage is collected again. V8's own choice for a process of
 * gigabytes is 300: half of a restore's memory is garbage then. Less costs time for collections.
 */
const GROWTH_PERCENT = 40;

let isSparing = false;

/**
 * Keeps the heap close to what is in use, from now on. A function that restores calls it when it is loaded: called once the
 * manifest of 5,000 tables is read, its peak is 40 MiB higher.
 */
export function keepHeapSmall(): void {
  if (isSparing) return;
  isSparing = true;
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}

/** As {@link keepHeapSmall}, if a database has many tables. To be called once their number is known. */
export function spareHeap(tables: number): void {
  if (tables >= MANY_TABLES) keepHeapSmall();
}

/**
 * Collects the garbage of this thread at once if memory is spared: some 100 ms for a heap of 100 MB. Worth it before a thread
 * starts that takes as much memory again.
 */
export function collectSparedGarbage(): void {
  if (!isSparing) return;
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
