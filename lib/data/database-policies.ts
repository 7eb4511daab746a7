import type { DatabaseName } from '../../lambdas/shared/contract';

/** What is set on the instance of one database beyond its backup policy. */
export interface DatabasePolicy {
  /** PostgreSQL database that is made with the instance. */
  readonly databaseName: string;
  /** Name of the first user. Rotation changes its password, not its name. */
  readonly adminUser: string;
  /**
   * UTC window of RDS's automated backup. AWS Backup refuses to start within an hour of it or of the maintenance
   * window, so both lie away from the hours of the backup policy.
   */
  readonly automatedBackupWindow: string;
  /** UTC window in which RDS may restart the instance. */
  readonly maintenanceWindow: string;
}

export const DATABASE_POLICIES: Readonly<Record<DatabaseName, DatabasePolicy>> = {
  billing: {
    databaseName: 'billing',
    adminUser: 'billing_admin',
    automatedBackupWindow: '03:00-03:30',
    maintenanceWindow: 'Sun:09:00-Sun:09:30',
  },
  main: {
    databaseName: 'main',
    adminUser: 'main_admin',
    automatedBackupWindow: '04:30-05:00',
    maintenanceWindow: 'Sun:09:30-Sun:10:00',
  },
};

/** PostgreSQL settings of both instances. Sessions that need longer, such as backups and migrations, say so themselves. */
export const DATABASE_PARAMETERS: Readonly<Record<string, string>> = {
  // A connection without TLS is refused.
  'rds.force_ssl': '1',
  shared_preload_libraries: 'pg_stat_statements',
  // Milliseconds: the warning threshold of query latency, so that a slow query that alarms can be read in the log.
  log_min_duration_statement: '500',
  // Milliseconds: above the processor's own timeout, so that this only ends what nobody waits for any more.
  statement_timeout: '60000',
  // Milliseconds: a transaction left open blocks vacuum and holds locks. Higher than any job is silent between two statements.
  idle_in_transaction_session_timeout: '300000',
};
