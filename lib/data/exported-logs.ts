import type { RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

/** The logs that an instance writes to CloudWatch: `postgresql` holds connections, slow statements and pgaudit's records. */
export const LOG_EXPORTS: readonly string[] = ['postgresql', 'upgrade'];

/** Name of the log group that RDS writes a log of an instance to. */
export function exportedLogName(instanceIdentifier: string, log: string): string {
  return `/aws/rds/instance/${instanceIdentifier}/${log}`;
}

export interface ExportedLogsSettings {
  /** Encrypts the logs. */
  readonly encryptionKey: IKey;
  /** Whether the logs outlive the stack. */
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The log groups of an instance. RDS would create them without an expiry, so the instance must depend on these. Logs are
 * kept a year, as PCI requires for records of access.
 */
export function exportedLogs(scope: Construct, instanceIdentifier: string, settings: ExportedLogsSettings): LogGroup[] {
  return LOG_EXPORTS.map(
    (log) =>
      new LogGroup(scope, `${log}Log`, {
        logGroupName: exportedLogName(instanceIdentifier, log),
        retention: RetentionDays.ONE_YEAR,
        ...settings,
      }),
  );
}
