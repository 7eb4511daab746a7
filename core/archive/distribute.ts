/**
 * Works through the items, one at a time per worker, in order of the list. The first failure stops the others through
 * their signal; it is thrown once all of them have let go, so that the caller may close what they used.
 *
 * @param work may return what has become possible by it; that is done after the items that are there already
 * @param order of the items instead, of those as well that work brings
 */
export async function distribute<Item, Worker>(
  items: readonly Item[],
  workers: readonly Worker[],
  work: (item: Item, worker: Worker, signal: AbortSignal) => Promise<readonly Item[] | void>,
  order?: (one: Item, other: Item) => number,
): Promise<void> {
  const queue: Item[] = [];
  const enqueue = (more: readonly Item[]): void => {
    queue.push(...more);
    if (order) queue.sort(order);
  };
  enqueue(items);
  const stop = new AbortController();
  const failures: unknown[] = [];
  let working = 0;
  let waiting: (() => void)[] = [];
  const next = async (): Promise<Item | undefined> => {
    // Somebody who still works may bring more.
    while (queue.length === 0 && working > 0) await new Promise<void>((resolve) => waiting.push(resolve));
    return stop.signal.aborted ? undefined : queue.shift();
  };
  await Promise.all(
    workers.map(async (worker) => {
      for (let item = await next(); item !== undefined; item = await next()) {
        working += 1;
        try {
          enqueue((await work(item, worker, stop.signal)) ?? []);
        } catch (error) {
          failures.push(error);
          stop.abort();
        }
        working -= 1;
        const woken = waiting;
        waiting = [];
        woken.forEach((wake) => wake());
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}
