import type { Json, StateDefinition } from './definition';
import { StatesError } from './errors';

/** Concurrent items of a Map without `MaxConcurrency`. Step Functions runs all; one machine cannot. */
const MOST_AT_ONCE = 40;

/**
 * The result of each item, in their order.
 *
 * @param concurrent whether several are at work at the same time, as `MaxConcurrency` says; one after the other otherwise
 * @param work fails for the items after a failure that is not tolerated, so that no further one is begun
 * @throws what it throws, once what has begun has ended
 */
export async function resultsOf(
  items: readonly Json[],
  { MaxConcurrency: limit = 0 }: StateDefinition,
  concurrent: boolean,
  work: (item: Json, index: number) => Promise<Json>,
): Promise<Json[]> {
  const results: Json[] = [];
  const left = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item, index);
  };
  const workers = concurrent ? Math.min(limit || MOST_AT_ONCE, items.length) : 1;
  const ended = await Promise.allSettled(Array.from({ length: workers }, worker));
  const failure = ended.find((one) => one.status === 'rejected');
  if (failure) throw failure.reason;
  return results;
}

/** A Map fails with more failed items than it tolerates, which are none by default; what runs is stopped. */
export function assertTolerated(
  { ToleratedFailureCount: count = 0, ToleratedFailurePercentage: percentage = 0 }: StateDefinition,
  failures: readonly StatesError[],
  items: number,
): void {
  if (failures.length <= Math.max(count, (items * percentage) / 100)) return;
  throw new StatesError(
    'States.ExceedToleratedFailureThreshold',
    'The specified tolerated failure threshold was exceeded',
  );
}
