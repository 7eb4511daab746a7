import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';

export interface CleanupEnvironment extends BaseEnvironment, BillingDatabaseEnvironment {
  /**
   * Days that a processed event stays in the ledger, from {@link MIN_RETENTION_DAYS} on. Lower forgets what was received
   * while somebody may still ask; higher grows the database by the payloads.
   */
  readonly RETENTION_DAYS: string;
}

/**
 * Stripe lists events for 30 days: one that was forgotten earlier would look to reconciliation as if it had never been
 * received. The days above are for a run that starts late.
 */
export const MIN_RETENTION_DAYS = 35;

/** A year, as long as the audit logs are kept. */
export const DEFAULT_RETENTION_DAYS = 365;

export interface CleanupRequest {
  /** Count only; delete nothing. @default false */
  readonly dryRun?: boolean;
}

export const CLEANUP_METRICS = {
  /** 1 for each run that ended well. */
  succeeded: 'CleanupSucceeded',
  /** 1 for each run that hit an error. */
  failed: 'CleanupFailed',
  /** Events that were deleted. */
  deleted: 'EventsDeleted',
  durationMs: 'CleanupDuration',
} as const;
