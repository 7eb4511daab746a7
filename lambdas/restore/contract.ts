import type { BaseEnvironment, BillingDatabaseEnvironment, DatabaseName, MainDatabaseEnvironment } from '../shared/contract';

export interface RestoreEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
}

export interface RestoreRequest {
  readonly database: DatabaseName;
  /** Slot of the archive (its ISO time), or `latest`. */
  readonly archive: string;
  /** Name of the database to create on the same server. Refused when it exists: a restore never overwrites. */
  readonly targetDatabase: string;
  /** What becomes of the restored database once its report is made: `keep` it, or `drop` it (a drill). */
  readonly afterwards: 'keep' | 'drop';
}

export const RESTORE_METRICS = {
  succeeded: 'RestoreSucceeded',
  failed: 'RestoreFailed',
  durationMs: 'RestoreDuration',
} as const;
