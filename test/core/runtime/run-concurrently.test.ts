import { setTimeout as sleep } from 'node:timers/promises';
import { runConcurrently } from '../../../core/runtime/run-concurrently';

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}

test('runConcurrently works on every item once, with every worker, in the order of the items', async () => {
  const done: number[] = [];
  const used = new Set<string>();
  const items = Array.from({ length: 20 }, (_, item) => item);
  await runConcurrently(items, ['a', 'b', 'c'], async (item, worker) => {
    done.push(item);
    used.add(worker);
    await sleep(1);
  });
  expect(done).toEqual(items);
  expect([...used]).toEqual(['a', 'b', 'c']);
});

test('runConcurrently never works on two items with one worker at the same time', async () => {
  const busy = new Set<number>();
  await runConcurrently(Array(20).keys(), Array(3).keys(), async (item, worker) => {
    expect(busy.has(worker)).toBe(false);
    busy.add(worker);
    await sleep(item % 3);
    busy.delete(worker);
  });
});

test('a worker without an item waits for the next one of an asynchronous source', async () => {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const done: string[] = [];
  async function* items(): AsyncGenerator<string> {
    yield 'first';
    await released;
    yield* ['second', 'third'];
  }
  await runConcurrently(items(), ['a', 'b'], async (item, worker) => {
    done.push(`${item} by ${worker}`);
    await sleep(5);
    release();
  });
  expect(done).toEqual(['first by a', 'second by b', 'third by a']);
});

test('a failure stops the other workers, starts nothing more, and is thrown once they have returned', async () => {
  const started: number[] = [];
  let returned = false;
  const running = runConcurrently([1, 2, 3, 4], ['a', 'b'], async (item, _worker, signal) => {
    started.push(item);
    if (item === 1) throw new Error('first');
    await untilAborted(signal);
    await sleep(5);
    returned = true;
    throw new Error('because the first failed');
  });
  await expect(running).rejects.toThrow('first');
  expect(returned).toBe(true);
  expect(started).toEqual([1, 2]);
});

test('a failure ends the wait for an item that would never come', async () => {
  async function* items(): AsyncGenerator<string> {
    yield 'only';
    await new Promise<never>(() => undefined);
  }
  const running = runConcurrently(items(), ['a', 'b'], async () => {
    await sleep(5);
    throw new Error('failed while the other worker waits');
  });
  await expect(running).rejects.toThrow('failed while the other worker waits');
});
