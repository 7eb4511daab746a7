/**
 * Works through items in their order, one at a time per worker. The first failure stops the other workers through their
 * signal; it is thrown once all of them have returned, so that the caller may close what they used.
 *
 * @param items may be asynchronous: a worker without an item waits for the next one
 * @param workers what each item is worked on with, such as connections; their number is that of items at a time
 */
export async function runConcurrently<Item, Worker>(
  items: Iterable<Item> | AsyncIterable<Item>,
  workers: Iterable<Worker>,
  work: (item: Item, worker: Worker, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const stop = new AbortController();
  const stopped = new Promise<{ readonly done: true }>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve({ done: true }), { once: true });
  });
  const failures: unknown[] = [];

  async function workUntilDone(worker: Worker): Promise<void> {
    while (!stop.signal.aborted) {
      // An item that depends on the failed one may never come.
      const next = await Promise.race([iterator.next(), stopped]);
      if (next.done || stop.signal.aborted) return;
      await work(next.value, worker, stop.signal);
    }
  }

  await Promise.all(
    Array.from(workers, (worker) =>
      workUntilDone(worker).catch((error: unknown) => {
        failures.push(error);
        stop.abort();
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
}
