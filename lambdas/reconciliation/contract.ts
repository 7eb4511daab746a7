import type { BaseEnvironment, BillingDatabaseEnvironment } from '../shared/contract';

export interface ReconciliationEnvironment extends BaseEnvironment, BillingDatabaseEnvironment {
  /** Secret with JSON `{"apiKey": "rk_…"}`. */
  readonly STRIPE_API_SECRET_ARN: string;
  /** Base URL of the Stripe API, `https://api.stripe.com` unless a stand-in serves it. */
  readonly STRIPE_API_BASE: string;
  /** Days that a run looks back for missed events and purchases; Stripe lists events for 30 days at most. */
  readonly DAYS_BACK: string;
}

export interface ReconciliationRequest {
  /** Report only; correct nothing. @default false */
  readonly dryRun?: boolean;
  /** @default the DAYS_BACK of the environment */
  readonly daysBack?: number;
}

export const RECONCILIATION_METRICS = {
  succeeded: 'ReconciliationSucceeded',
  failed: 'ReconciliationFailed',
  driftDetected: 'DriftDetected',
  missedEvents: 'MissedEvents',
  durationMs: 'ReconciliationDuration',
} as const;
