import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  DatabaseName,
  MainDatabaseEnvironment,
} from '../../core/contract';

export interface BackupEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
  /** Days that an archive of the billing database cannot be deleted, and after which it expires. */
  readonly BILLING_RETENTION_DAYS: string;
  /** Days that an archive of the main database cannot be deleted, and after which it expires. */
  readonly MAIN_RETENTION_DAYS: string;
  /** Hours between two recovery points of AWS Backup; each run checks that they are as fresh as that. */
  readonly BILLING_FREQUENCY_HOURS: string;
  readonly MAIN_FREQUENCY_HOURS: string;
  /** RDS instance behind the database, or empty when it is not on RDS: nothing can then be asked of RDS. */
  readonly BILLING_INSTANCE_IDENTIFIER: string;
  readonly MAIN_INSTANCE_IDENTIFIER: string;
  /**
   * GiB of database above which RDS exports a snapshot instead of the function streaming an archive. Too high and the
   * function is stopped after its 15 minutes with nothing to show; too low and rows can be had only from Parquet.
   */
  readonly STREAMING_LIMIT_GIB: string;
  /** Role that RDS assumes to write an export into the archive bucket; empty where no database is on RDS. */
  readonly EXPORT_ROLE_ARN: string;
  /** Customer-managed key that RDS encrypts an export with; empty where no database is on RDS. */
  readonly EXPORT_KEY_ARN: string;
}

/**
 * Start of the identifiers of snapshots taken before a migration, followed by the time; for the resources of a policy.
 * RDS takes letters, digits and single hyphens.
 */
export function migrationSnapshotPrefix(database: DatabaseName): string {
  return `billing-operations-${database}-pre-migration-`;
}

/** What EventBridge Scheduler, or an operator, asks of the backup function. */
export interface BackupRequest {
  readonly database: DatabaseName;
  /**
   * ISO time that names the archive. The schedule passes `<aws.scheduler.scheduled-time>`, so that a retried
   * invocation asks for the same slot again and finds it taken. @default the moment of the request
   */
  readonly slot?: string;
  /**
   * `pre-migration` takes a tagged RDS snapshot beside the archive, so that a migration can be undone as a whole.
   * @default 'routine'
   */
  readonly reason?: 'routine' | 'pre-migration';
}

/** Whether one of the tiers that RDS and AWS Backup look after is as fresh as promised. */
export interface TierReport {
  /**
   * `missing`: there is none at all. `unknown`: RDS did not tell, see the log. `not-on-rds`: there is no RDS instance,
   * so the archives are all there is.
   */
  readonly state: 'current' | 'stale' | 'missing' | 'unknown' | 'not-on-rds';
  /** Seconds since the moment that the tier can bring back. */
  readonly ageSeconds?: number;
  /** Seconds above which it is stale. */
  readonly limitSeconds: number;
}

export interface ProtectionReport {
  /** RDS's automated backups: how far behind the latest moment that can be restored is. */
  readonly pointInTime: TierReport;
  /** AWS Backup's recovery points: age of the newest one that is complete. */
  readonly recoveryPoints: TierReport;
}

/** A snapshot of the whole instance, taken before a migration. */
export interface MigrationSnapshot {
  readonly identifier: string;
  /** `creating` when it was not complete by the time that the function had to answer; RDS completes it by itself. */
  readonly state: 'available' | 'creating';
}

/** What became of a database's archive. */
export interface ArchiveReport {
  readonly database: DatabaseName;
  /** ISO time in UTC and whole seconds that names the archive. */
  readonly slot: string;
  /** Key of the manifest in the archive bucket; after an export, the prefix that RDS writes under. */
  readonly manifestKey: string;
  /**
   * `already-exists` when the slot had its archive before; nothing was done then, and the sizes are that archive's.
   * `exported` when the database is larger than the streaming limit: RDS exports its newest snapshot as Parquet, which
   * takes hours and goes on after this answer; `already-exported` when an earlier run had asked for that. Tables and
   * rows are 0 then: nobody counted them.
   */
  readonly outcome: 'created' | 'already-exists' | 'exported' | 'already-exported';
  readonly tables: number;
  readonly rows: number;
  /** Bytes of COPY text. */
  readonly bytes: number;
  /** Bytes in S3. */
  readonly compressedBytes: number;
  /** Of this invocation. */
  readonly durationMs: number;
  /** Archives that were older than their retention and are gone now. */
  readonly expiredArchives: number;
  /** Objects and unfinished uploads that failed attempts had left behind. */
  readonly sweptLeftovers: number;
  /** The archive is good, but what had expired could not be removed; the log says why, the next run tries again. */
  readonly housekeepingFailed: boolean;
}

/** What the backup function answers. */
export interface BackupReport extends ArchiveReport {
  readonly protection: ProtectionReport;
  /** Only after a request with the reason `pre-migration`, and only on RDS. */
  readonly snapshot?: MigrationSnapshot;
}

/** All with the dimension `database`. */
export const BACKUP_METRICS = {
  /** Archives whose manifest was written. */
  succeeded: 'BackupSucceeded',
  failed: 'BackupFailed',
  /** Milliseconds. */
  durationMs: 'BackupDuration',
  /** Bytes of COPY text in the archive. */
  bytes: 'BackupBytes',
  /** Bytes of the archive in S3. */
  compressedBytes: 'BackupCompressedBytes',
  /** Exports of a database too large to stream that RDS was asked for. */
  exported: 'BackupExported',
  /** Seconds between now and the latest moment that RDS can restore. Absent when there is none. */
  pointInTimeAgeSeconds: 'PointInTimeAge',
  /** Seconds since the newest recovery point of AWS Backup. Absent when there is none. */
  recoveryPointAgeSeconds: 'RecoveryPointAge',
  /** Tiers, of those two, that are stale, missing or could not be looked at. 0 is as it should be; on RDS only. */
  unprotectedTiers: 'UnprotectedTiers',
  /** Archives that expired. */
  expiredArchives: 'ExpiredArchives',
  /** Objects and uploads of failed attempts that were removed. */
  sweptLeftovers: 'SweptLeftovers',
  /** Runs whose archive is good, but which could not remove what had expired. */
  housekeepingFailed: 'BackupHousekeepingFailed',
} as const;
