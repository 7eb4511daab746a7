import type { BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment } from '../shared/contract';

export interface CollectorEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  /** RDS instance whose allocated storage is asked for, or empty when the database is not on RDS. */
  readonly BILLING_INSTANCE_IDENTIFIER: string;
  readonly MAIN_INSTANCE_IDENTIFIER: string;
  /** GiB of disk behind the database where RDS cannot be asked. */
  readonly BILLING_ALLOCATED_STORAGE_GIB: string;
  readonly MAIN_ALLOCATED_STORAGE_GIB: string;
}

export const COLLECTOR_METRICS = {
  /** Share of subscriptions, in percent, whose payment fails: past_due, unpaid or incomplete_expired in the last 30 days. */
  failedSubscriptionsPercent: 'FailedSubscriptionsPercent',
  /** Bytes of disk allocated to the instance. Storage autoscaling moves it, so it is measured, not configured. Dimension `database`. */
  allocatedStorageBytes: 'AllocatedStorageBytes',
  /** Bytes that PostgreSQL's databases occupy. Dimension `database`. */
  databaseSizeBytes: 'DatabaseSizeBytes',
} as const;
