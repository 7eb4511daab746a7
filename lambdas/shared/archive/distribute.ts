/**
 * Works through the items, one at a time per worker, in order of the list. The first failure stops the others through
 * their signal; it is thrown once all of them have let go, so that the caller may close what they used.
 */
export async function distribute<Item, Worker>(
  items: readonly Item[],
  workers: readonly Worker[],
  work: (item: Item, worker: Worker, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const stop = new AbortController();
  const failures: unknown[] = [];
  await Promise.all(
    workers.map(async (worker) => {
      try {
        // One iterator for all workers: each item is taken by exactly one of them.
        for (const item of queue) {
          if (stop.signal.aborted) return;
          await work(item, worker, stop.signal);
        }
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}
