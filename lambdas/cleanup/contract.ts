import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface CleanupEnvironment extends BaseEnvironment, BillingDatabaseEnvironment {
  /**
   * Days that a processed event stays in the ledger, from {@link MIN_RETENTION_DAYS} on. Lower deletes events
   * that support may still need; higher grows the database by their payloads.
   */
  readonly RETENTION_DAYS: string;
}

/**
 * Stripe lists events for 30 days: reconciliation would take one that was deleted earlier for missed. The days above that
 * are a margin for a run that starts late.
 */
export const MIN_RETENTION_DAYS = 35;

/** A year, as long as the audit logs are kept. */
export const DEFAULT_RETENTION_DAYS = 365;

export const cleanupRequest = z.strictObject({ dryRun });
/** Asks for processed events past their retention to be deleted. */
export type CleanupRequest = Readonly<z.input<typeof cleanupRequest>>;

export const cleanupReport = z.strictObject({
  deleted: z.int().describe('Events that were deleted; in a dry run, that would be.'),
  dryRun: z.boolean().describe('`true` when nothing was deleted.'),
  complete: z.boolean().describe('`false` when the time ran out; the next run continues where this one stopped.'),
  before: isoTime.describe('Events that occurred and were processed before this ISO time are past their retention.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
});
export type CleanupReport = Readonly<z.infer<typeof cleanupReport>>;

/** Deletes processed events that are past their retention. */
export const contract = {
  request: cleanupRequest,
  report: cleanupReport,
  effect: 'changes',
} as const satisfies OperationContract;

export const CLEANUP_METRICS = {
  /** 1 for each run that ended well. */
  succeeded: 'CleanupSucceeded',
  /** 1 for each run that hit an error. */
  failed: 'CleanupFailed',
  /** Events that were deleted. */
  deleted: 'EventsDeleted',
  durationMs: 'CleanupDuration',
} as const;
