import type { BaseEnvironment, BillingDatabaseEnvironment, DatabaseName, MainDatabaseEnvironment } from '../shared/contract';

export interface BackupEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
  /** Days that an archive of the billing database cannot be deleted, and after which it expires. */
  readonly BILLING_RETENTION_DAYS: string;
  /** Days that an archive of the main database cannot be deleted, and after which it expires. */
  readonly MAIN_RETENTION_DAYS: string;
}

/** What EventBridge Scheduler, or an operator, asks of the backup function. */
export interface BackupRequest {
  readonly database: DatabaseName;
  /**
   * ISO time that names the archive. The schedule passes `<aws.scheduler.scheduled-time>`, so that a retried
   * invocation asks for the same slot again and finds it taken. @default the moment of the request
   */
  readonly slot?: string;
}

export const BACKUP_METRICS = {
  /** Archives whose manifest was written. */
  succeeded: 'BackupSucceeded',
  failed: 'BackupFailed',
  durationMs: 'BackupDuration',
  compressedBytes: 'BackupCompressedBytes',
} as const;
