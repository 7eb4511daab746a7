import type { BackupClient } from '@aws-sdk/client-backup';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

/** The APIs that know where data is. Each takes another region than that of the environment. */
export interface ResidencyClients {
  cloudFormation(region?: string): Promise<CloudFormationClient>;
  /** Follows a bucket to its region. */
  s3(): Promise<S3Client>;
  kms(region?: string): Promise<KMSClient>;
  secretsManager(region?: string): Promise<SecretsManagerClient>;
  rds(region?: string): Promise<RDSClient>;
  backup(region?: string): Promise<BackupClient>;
  cloudWatchLogs(region?: string): Promise<CloudWatchLogsClient>;
}
