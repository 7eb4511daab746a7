import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';

export interface RestoreEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
}

export const RESTORE_METRICS = {
  succeeded: 'RestoreSucceeded',
  failed: 'RestoreFailed',
  durationMs: 'RestoreDuration',
} as const;
