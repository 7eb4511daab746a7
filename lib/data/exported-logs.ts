import type { RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { exportedLogName, LOG_EXPORTS } from '../../core/database/contract';

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
