import { DEFAULT_RETENTION_DAYS } from '../../lambdas/cleanup/contract';
import type { DatabaseName } from '../../core/contract';

/** What is promised about the backups of one database. */
export interface BackupPolicy {
  /** Rank in the operations guide. */
  readonly priority: 'critical' | 'high';
  /** Hours between two backups. An archive older than this is overdue. */
  readonly frequencyHours: number;
  /**
   * When a backup starts, in UTC. AWS Backup and EventBridge Scheduler read the same six-field syntax, so that recovery
   * points and archives of one database describe the same hours.
   */
  readonly cron: string;
  /**
   * Days that recovery points and archives are kept, and cannot be deleted. Lower breaks the promise; higher than the
   * vault's lock makes AWS Backup jobs fail.
   */
  readonly retentionDays: number;
  /** Days that RDS can be rolled back to any second of. RDS keeps 35 at most, which is why the other two tiers exist. */
  readonly pointInTimeDays: number;
  /** Minutes in which a restored database must be verified and ready. */
  readonly restoreTargetMinutes: number;
}

/** The backup policy of each database, word for word from the operations guide. */
export const BACKUP_POLICIES: Readonly<Record<DatabaseName, BackupPolicy>> = {
  billing: {
    priority: 'critical',
    frequencyHours: 6,
    cron: 'cron(0 0,6,12,18 * * ? *)',
    retentionDays: 90,
    pointInTimeDays: 35,
    restoreTargetMinutes: 60,
  },
  main: {
    priority: 'high',
    frequencyHours: 24,
    cron: 'cron(0 2 * * ? *)',
    retentionDays: 30,
    pointInTimeDays: 30,
    restoreTargetMinutes: 240,
  },
};

/**
 * GiB of database above which RDS exports a snapshot instead of the backup function streaming an archive. Higher, and
 * the function is stopped after its 15 minutes with nothing to show; lower, and rows can be had only from Parquet.
 *
 * A run is taken to write at least 100 MB of database a second, though two idle cores reach more (docs/benchmarks.md), and to
 * use half of its time, because it shares the server with the day's work: 450 s × 100 MB/s = 45 GB, or 41 GiB.
 */
export const STREAMING_LIMIT_GIB = 40;

/**
 * Days that a processed event stays in the ledger. Below the minimum of the function's contract, reconciliation would take forgotten
 * events for missed ones; higher grows the database by the payloads.
 */
export const EVENT_RETENTION_DAYS = DEFAULT_RETENTION_DAYS;

/**
 * Milliseconds from which a statement is slow, by the operations guides: PostgreSQL logs it, and the 95th percentile above it raises the warning
 * on query latency. Lower fills the log with healthy statements; higher leaves an alarm without a statement to look at.
 */
export const SLOW_QUERY_MS = 500;
