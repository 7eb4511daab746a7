import * as z from 'zod';
import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../../core/contract';
import type { OperationContract } from '../../core/runtime/contract';

export interface CollectorEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  /** RDS instance whose storage and memory are asked for, or empty when the database is not on RDS. */
  readonly BILLING_INSTANCE_IDENTIFIER: string;
  readonly MAIN_INSTANCE_IDENTIFIER: string;
  /** GiB of disk behind the database where RDS cannot be asked. */
  readonly BILLING_ALLOCATED_STORAGE_GIB: string;
  readonly MAIN_ALLOCATED_STORAGE_GIB: string;
  /** ARNs of the workflows that archive large databases, or empty where none does: asked for what is under way. */
  readonly BILLING_ARCHIVE_WORKFLOW_ARN: string;
  readonly MAIN_ARCHIVE_WORKFLOW_ARN: string;
  /** Bucket whose newest archives are looked up; only the names of its objects are read. */
  readonly ARCHIVE_BUCKET: string;
  /** Region and bucket that archives are copied to; empty where they are not copied. */
  readonly COPY_REGION: string;
  readonly COPY_BUCKET: string;
  /** Days that a processed event stays in the ledger; the same as the cleanup function's. */
  readonly EVENT_RETENTION_DAYS: string;
  /** Secrets with passwords of a database, parted by commas, whose oldest is reported. @default that of the connection */
  readonly BILLING_PASSWORD_SECRET_ARNS?: string;
  readonly MAIN_PASSWORD_SECRET_ARNS?: string;
  /** The secrets that Stripe issues: looked up for their age, never read. */
  readonly STRIPE_API_SECRET_ARN: string;
  readonly STRIPE_SIGNING_SECRET_ARN: string;
}

export const collectorRequest = z.strictObject({});
export const collectorReport = z.strictObject({
  gauges: z.int().describe('Gauges that were measured and published.'),
});
export type CollectorReport = Readonly<z.infer<typeof collectorReport>>;

/** Publishes the gauges that must be looked up to be known, and records that it did. */
export const contract = {
  request: collectorRequest,
  report: collectorReport,
  effect: 'reads',
} as const satisfies OperationContract;

/** Values of the dimension `secret`. */
export const WATCHED_SECRETS = ['billing-database', 'main-database', 'stripe-api', 'stripe-signing'] as const;
export type WatchedSecret = (typeof WATCHED_SECRETS)[number];

/**
 * Ages are seconds since something was last done well, taken from what it left behind and not from a second bookkeeping.
 * What was never done is as old as the database, counted from its first migration.
 */
export const COLLECTOR_METRICS = {
  /** 1 for each collection that measured everything. */
  succeeded: 'CollectionSucceeded',
  /** 1 for each collection that could not measure everything. The log says what. */
  failed: 'CollectionFailed',
  /** Measurements that failed in a collection, each of which costs only its own gauges. The log says which. */
  probesFailed: 'ProbesFailed',
  /** Since the oldest transaction that is open began; 0 when none is. Dimension `database`. */
  longestTransactionSeconds: 'LongestTransaction',
  /** Since the session that has waited longest for a lock began to wait; 0 when none waits. Dimension `database`. */
  longestLockWaitSeconds: 'LongestLockWait',
  /** Transactions since the oldest row that is not frozen. At 2 billion PostgreSQL stops. Dimension `database`. */
  transactionIdAge: 'TransactionIdAge',
  /** Tables with twice as many dead rows as autovacuum waits for. Dimension `database`. */
  tablesBehindVacuum: 'TablesBehindVacuum',
  /** Connections of the roles that have most, and of all others as `other`. Dimensions `database` and `role`. */
  connectionsByRole: 'ConnectionsByRole',
  /** Until the certificate of the server expires; negative once it did. Dimension `database`. */
  certificateExpirySeconds: 'CertificateExpiry',
  /**
   * Seconds of execution in a second, of all statements between two collections: how many ran at the same time, on average. Not
   * published by the first collection of an instance, nor where the server does not count statements. Dimension `database`.
   */
  statementLoad: 'StatementLoad',
  /** The slowest mean of a statement between two collections; the log has its text. Dimension `database`. */
  slowestMeanSeconds: 'SlowestStatementMean',
  /** Events of the ledger that are received, processing or failed. Dimension `status`. */
  eventBacklog: 'EventBacklog',
  /** Share of subscriptions, in percent, whose payment fails: past_due, unpaid or incomplete_expired in the last 30 days. */
  failedSubscriptionsPercent: 'FailedSubscriptionsPercent',
  /** Bytes of disk allocated to the instance. Storage autoscaling moves it, so it is measured, not configured. Dimension `database`. */
  allocatedStorageBytes: 'AllocatedStorageBytes',
  /** Bytes of memory of the instance's class. On RDS only. Dimension `database`. */
  instanceMemoryBytes: 'InstanceMemoryBytes',
  /** Bytes that PostgreSQL's databases occupy. Dimension `database`. */
  databaseSizeBytes: 'DatabaseSizeBytes',
  /** Share, in percent, of the connections that ordinary users may have. Dimension `database`. */
  connectionsUsedPercent: 'ConnectionsUsedPercent',
  /**
   * Since the slot of the newest archive, or of the newest export of a database that is too large to stream. RDS shows
   * the first file of an export an hour or more after it was started. Dimension `database`.
   */
  backupAgeSeconds: 'BackupAge',
  /** By which the copies of the archives in the second region are behind. Not published without one. */
  replicationLatencySeconds: 'ReplicationLatency',
  /** Since the last drill that restored and verified its archive, be it a slow one. Dimension `database`. */
  drillAgeSeconds: 'DrillAge',
  /** Since the beginning of the last reconciliation that was complete and corrected what it found. */
  reconciliationAgeSeconds: 'ReconciliationAge',
  /** How long the oldest event that should be forgotten is past its retention; 0 when there is none. */
  cleanupOverdueSeconds: 'CleanupOverdue',
  /** By which the latest task of maintenance is late; 0 when none is. Dimension `database`. */
  maintenanceOverdueSeconds: 'MaintenanceOverdue',
  /** Since the oldest object that waits to be read from Stripe again was noticed; 0 when none waits. */
  refreshAgeSeconds: 'RefreshAge',
  /**
   * Until the evidence for a dispute is due, of the one that is due next; negative once it was. Not published while none
   * awaits a response.
   */
  disputeDueSeconds: 'DisputeDue',
  /** Early fraud warnings whose charge is neither refunded nor disputed. */
  fraudWarnings: 'EarlyFraudWarnings',
  /** Failed payouts that no later payout replaced. */
  payoutsFailed: 'PayoutsFailed',
  /** Since the arrival date of the payout that is latest, of those still under way; 0 when none is late. */
  payoutLatenessSeconds: 'PayoutLateness',
  /** Subscriptions and purchases that would grant something and belong to no user. The log names them. */
  unowned: 'UnownedPurchases',
  /** Since the value in use was put into a secret. Dimension `secret`. */
  secretAgeSeconds: 'SecretAge',
} as const;
