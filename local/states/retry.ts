import { SECOND } from './clock';
import type { Retrier } from './definition';

/** Before attempt number `before` + 2; of a full jitter, the mean. */
export function retryDelayMs(retrier: Retrier, before: number): number {
  const { IntervalSeconds = 1, BackoffRate = 2, MaxDelaySeconds = Infinity, JitterStrategy } = retrier;
  const seconds = Math.min(IntervalSeconds * BackoffRate ** before, MaxDelaySeconds);
  return (JitterStrategy === 'FULL' ? seconds / 2 : seconds) * SECOND;
}
