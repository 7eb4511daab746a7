import type { RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

/** What an instance writes to CloudWatch: `postgresql` holds connections, slow statements and pgaudit's records. */
export const LOG_EXPORTS: readonly string[] = ['postgresql', 'upgrade'];

export interface ExportedLogsSettings {
  readonly encryptionKey: IKey;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The log groups of an instance. Made before RDS makes them without an expiry, so the instance must depend on them. A
 * year, because that is how long PCI wants a record of access kept.
 */
export function exportedLogs(scope: Construct, instanceIdentifier: string, settings: ExportedLogsSettings): LogGroup[] {
  return LOG_EXPORTS.map(
    (log) =>
      new LogGroup(scope, `${log}Log`, {
        logGroupName: `/aws/rds/instance/${instanceIdentifier}/${log}`,
        retention: RetentionDays.ONE_YEAR,
        ...settings,
      }),
  );
}
