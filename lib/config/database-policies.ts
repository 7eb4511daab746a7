import type { DatabaseName } from '../../core/contract';
import { SLOW_QUERY_MS } from './policies';

/** Settings of the instance of one database, besides its backup policy. */
export interface DatabasePolicy {
  /** PostgreSQL database that is created with the instance. */
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
  /**
   * Classes of statements that pgaudit writes to the log. `ddl` and `role` record changes of the schema and
   * of privileges. `write` records every change of rows; on a busy database it multiplies the log, so only for billing. Logins of
   * people have classes of their own: `core/access/person-audit.ts`.
   */
  readonly auditedStatements: readonly ('ddl' | 'role' | 'write')[];
}

export const DATABASE_POLICIES: Readonly<Record<DatabaseName, DatabasePolicy>> = {
  billing: {
    databaseName: 'billing',
    adminUser: 'billing_admin',
    automatedBackupWindow: '03:00-03:30',
    maintenanceWindow: 'Sun:09:00-Sun:09:30',
    auditedStatements: ['ddl', 'role', 'write'],
  },
  main: {
    databaseName: 'main',
    adminUser: 'main_admin',
    automatedBackupWindow: '04:30-05:00',
    maintenanceWindow: 'Sun:09:30-Sun:10:00',
    auditedStatements: ['ddl', 'role'],
  },
};

/** PostgreSQL settings of both instances. Sessions that need longer timeouts, such as backups and migrations, set them. */
const COMMON_PARAMETERS: Readonly<Record<string, string>> = {
  // A connection without TLS is refused.
  'rds.force_ssl': '1',
  // The proxy authenticates by SCRAM; a password with an MD5 hash would not work through it.
  password_encryption: 'scram-sha-256',
  shared_preload_libraries: 'pg_stat_statements,pgaudit',
  // Half of the audit log: which user was connected, from where and for how long. The other half is pgaudit's.
  log_connections: '1',
  log_disconnections: '1',
  // Of the two that RDS takes, the one with the application. AWS's guide leaves out the colon at its end, which RDS wants.
  log_line_prefix: '%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:',
  // The log then holds the statements behind an alarm on query latency.
  log_min_duration_statement: String(SLOW_QUERY_MS),
  // Without the values: they are whole payloads of customers, and the log is kept for a year.
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  // Milliseconds: above the processor's own timeout, so that it only ends statements without a waiting client.
  statement_timeout: '60000',
  // Milliseconds: a transaction left open blocks vacuum and holds locks. Longer than any job pauses between two statements.
  idle_in_transaction_session_timeout: '300000',
};

/** Settings of the instance that takes the writes of a database. */
export function databaseParameters(name: DatabaseName): Record<string, string> {
  return { ...COMMON_PARAMETERS, 'pgaudit.log': DATABASE_POLICIES[name].auditedStatements.join(',') };
}

/** Milliseconds that one analytical query may take. */
const ANALYTICAL_QUERY_MS = 15 * 60 * 1000;

/** Settings of a replica that people analyse on: slow queries are its purpose, and must not hold back the primary. */
export function replicaParameters(name: DatabaseName): Record<string, string> {
  return {
    ...databaseParameters(name),
    statement_timeout: String(ANALYTICAL_QUERY_MS),
    // Replay waits as long as a query may take; the replica lags meanwhile, instead of cancelling the query.
    max_standby_streaming_delay: String(ANALYTICAL_QUERY_MS),
    // With feedback, a long query here would keep vacuum on the primary from removing dead rows.
    hot_standby_feedback: '0',
  };
}
