import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../shared/contract';

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

/** What became of a backup. */
export interface BackupReport {
  readonly database: DatabaseName;
  /** ISO time in UTC and whole seconds that names the archive. */
  readonly slot: string;
  /** Key of the manifest in the archive bucket. */
  readonly manifestKey: string;
  /** `already-exists` when the slot had its archive before; nothing was done then, and the sizes are that archive's. */
  readonly outcome: 'created' | 'already-exists';
  readonly tables: number;
  readonly rows: number;
  /** Bytes of COPY text. */
  readonly bytes: number;
  /** Bytes in S3. */
  readonly compressedBytes: number;
  /** Of this invocation. */
  readonly durationMs: number;
}

export const BACKUP_METRICS = {
  /** Archives whose manifest was written. */
  succeeded: 'BackupSucceeded',
  failed: 'BackupFailed',
  durationMs: 'BackupDuration',
  compressedBytes: 'BackupCompressedBytes',
} as const;
