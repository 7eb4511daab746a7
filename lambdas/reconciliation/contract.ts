import type { CacheEnvironment } from '../../core/cache/contract';
import type { StripeFunctionEnvironment } from '../../core/contract';

export interface ReconciliationEnvironment extends StripeFunctionEnvironment, CacheEnvironment {
  /** Days that a run looks back for missed events and purchases; Stripe lists events for 30 days at most. */
  readonly DAYS_BACK: string;
}

/**
 * A run that ran out of time answers `interrupted`: the next invocation goes on with it, be it the schedule's or one by
 * hand, so a caller that wants it complete asks again until it is.
 */
export interface ReconciliationRequest {
  /** Report only; correct nothing. @default false */
  readonly dryRun?: boolean;
  /**
   * How far to look back, at least: a run always reaches back to the last complete one.
   *
   * @default the DAYS_BACK of the environment
   */
  readonly daysBack?: number;
  /**
   * Seconds before its start that a run does not look at, see {@link SETTLE_SECONDS}. `0` after an outage that has just
   * ended, to heal everything up to now; what is being delivered at that moment is then taken for missed, harmlessly.
   *
   * @default SETTLE_SECONDS
   */
  readonly settleSeconds?: number;
}

/**
 * What Stripe made in the last 15 minutes before a run is left to the next one, whose window overlaps: it may be on its way
 * through the queue, where the third and last attempt begins after 6 minutes and is given up after 9. Less, and deliveries
 * that are merely slow are reported as missed, and page somebody; more, and a loss is healed that much later.
 */
export const SETTLE_SECONDS = 900;

export const RECONCILIATION_METRICS = {
  succeeded: 'ReconciliationSucceeded',
  failed: 'ReconciliationFailed',
  /** Runs out of time that the next invocation goes on with. */
  interrupted: 'ReconciliationInterrupted',
  driftDetected: 'DriftDetected',
  missedEvents: 'MissedEvents',
  durationMs: 'ReconciliationDuration',
} as const;
