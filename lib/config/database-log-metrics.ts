import { METRIC_NAMESPACE, type DatabaseName } from '../../core/contract';
import { DATABASE_POLICIES } from './database-policies';

/**
 * What is counted in the PostgreSQL log of a database that the stacks make. Who did it is told by the name of the application,
 * which a client chooses: this finds mistakes and shortcuts, and no attacker who hides.
 */
export const DATABASE_LOG_METRICS = {
  slowStatements: 'SlowStatements',
  schemaChanges: 'SchemaChangesByHand',
  privilegeChanges: 'PrivilegeChangesByHand',
  adminLogins: 'AdminLoginsByHand',
  deletions: 'DeletionsByHand',
} as const;
export type DatabaseLogMetricName = (typeof DATABASE_LOG_METRICS)[keyof typeof DATABASE_LOG_METRICS];

/** Names under which the functions of the platform connect. */
export const PLATFORM_APPLICATIONS = [
  'api',
  'backup',
  'cleanup',
  'collector',
  'confirmations',
  'drill',
  'entitlements',
  'erasure',
  'inspect',
  'keys',
  'maintenance',
  'migrate',
  'move',
  'payouts',
  'processor',
  'reconciliation',
  'refresh',
  'replay',
  'restore',
  'row-recovery',
  'verify',
  'warm',
] as const;

/** Those whose work is on whole tables: their statements are slow by nature. */
const WHOLE_TABLES = ['backup', 'drill', 'maintenance', 'migrate', 'move', 'restore', 'row-recovery', 'verify', 'warm'];

/**
 * A record of pgaudit: its class, its command and the statement follow. Only the first line of a statement has it. The prefix
 * before it ends in a colon, or not: see {@link linesOf}.
 */
const AUDIT = 'LOG:  AUDIT: SESSION,';

/** A filter that counts one of the metrics. Several filters may count the same one: CloudWatch adds them up. */
export interface DatabaseLogFilter {
  /** Metric that it counts. */
  readonly metric: DatabaseLogMetricName;
  /** CloudWatch's pattern: phrases that a line contains, and phrases that it does not. */
  readonly pattern: string;
}

/** The filters on the log of a database. None has a regular expression, of which a log group takes five. */
export function databaseLogFilters(database: DatabaseName): DatabaseLogFilter[] {
  const { adminUser, auditedStatements } = DATABASE_POLICIES[database];
  const byHand = [':rdsadmin@', ...PLATFORM_APPLICATIONS.flatMap(linesOf)];
  const writes = (command: string): DatabaseLogFilter => ({
    metric: DATABASE_LOG_METRICS.deletions,
    // The statement follows, and may contain what looks like another record.
    pattern: pattern(
      [AUDIT, `,WRITE,${command},`],
      [',WRITE,INSERT,', ',WRITE,UPDATE,', ',READ,', ',DDL,', ',ROLE,', ...byHand],
    ),
  });
  return [
    {
      metric: DATABASE_LOG_METRICS.slowStatements,
      pattern: pattern(['LOG:  duration: ', ' ms  '], [':rdsadmin@', ...WHOLE_TABLES.flatMap(linesOf)]),
    },
    {
      metric: DATABASE_LOG_METRICS.schemaChanges,
      pattern: pattern([AUDIT, ',DDL,'], [',READ,', ',WRITE,', ',ROLE,', ...byHand]),
    },
    {
      metric: DATABASE_LOG_METRICS.privilegeChanges,
      pattern: pattern(
        [AUDIT, ',ROLE,'],
        // AWS's rotation of the password, which names no application.
        [',READ,', ',WRITE,', ',DDL,', `ALTER USER ${adminUser} WITH PASSWORD <REDACTED>`, ...byHand],
      ),
    },
    {
      metric: DATABASE_LOG_METRICS.adminLogins,
      // Neither the rotation nor a proxy names an application, so that a login without a name is not counted.
      pattern: pattern(
        [`LOG:  connection authorized: user=${adminUser} `, ' application_name='],
        PLATFORM_APPLICATIONS.map((name) => ` application_name=${name} `),
      ),
    },
    ...(auditedStatements.includes('write') ? ['DELETE', 'TRUNCATE TABLE'].map(writes) : []),
  ];
}

/** Namespace of the metrics of a database. Patterns over plain text give a metric no dimensions. */
export function databaseLogNamespace(environmentName: string, database: DatabaseName): string {
  return `${METRIC_NAMESPACE}/${environmentName}/${database}`;
}

/**
 * In a line of an application, after the other parts of `log_line_prefix`. AWS's guide writes the prefix without the colon at its
 * end, and RDS takes it with one.
 */
function linesOf(application: string): string[] {
  return [`:${application}:LOG:`, `:${application}LOG:`];
}

function pattern(present: readonly string[], absent: readonly string[]): string {
  return [...present.map((term) => `"${term}"`), ...absent.map((term) => `-"${term}"`)].join(' ');
}
