import type { CacheEnvironment } from '../entitlements/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../shared/contract';

export interface ReconciliationEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, CacheEnvironment {
  /** Secret with JSON `{"apiKey": "rk_…"}`. */
  readonly STRIPE_API_SECRET_ARN: string;
  /** Base URL of the Stripe API, `https://api.stripe.com` unless a stand-in serves it. */
  readonly STRIPE_API_BASE: string;
  /** Days that a run looks back for missed events and purchases; Stripe lists events for 30 days at most. */
  readonly DAYS_BACK: string;
  /** The app that objects belong to whose metadata names none; the same as the processor's. @default none */
  readonly DEFAULT_APP_ID?: string;
  /** The project that objects belong to whose metadata names none; the same as the processor's. @default none */
  readonly DEFAULT_PROJECT_ID?: string;
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
}

export const RECONCILIATION_METRICS = {
  succeeded: 'ReconciliationSucceeded',
  failed: 'ReconciliationFailed',
  /** Runs out of time that the next invocation goes on with. */
  interrupted: 'ReconciliationInterrupted',
  driftDetected: 'DriftDetected',
  missedEvents: 'MissedEvents',
  durationMs: 'ReconciliationDuration',
} as const;
