import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';

/** The APIs of AWS that an operator has, served by the emulator. */
export interface Clients {
  readonly cloudFormation: CloudFormationClient;
  /** In the second region. */
  readonly cloudFormationAbroad: CloudFormationClient;
  readonly cloudWatch: CloudWatchClient;
  readonly lambda: LambdaClient;
  readonly logs: CloudWatchLogsClient;
  readonly s3: S3Client;
  readonly scheduler: SchedulerClient;
  readonly secrets: SecretsManagerClient;
  readonly sns: SNSClient;
  readonly sqs: SQSClient;
}

/** Where the rehearsal takes place. */
export interface Target {
  /** Also the access key, by which the emulator distinguishes accounts. */
  readonly account: string;
  readonly region: string;
  readonly secondRegion: string;
}

export function createClients(endpoint: string, { account, region, secondRegion }: Target): Clients {
  const settings = { endpoint, region, credentials: { accessKeyId: account, secretAccessKey: 'rehearsal' } };
  return {
    cloudFormation: new CloudFormationClient(settings),
    cloudFormationAbroad: new CloudFormationClient({ ...settings, region: secondRegion }),
    cloudWatch: new CloudWatchClient(settings),
    // A function answers after minutes at most; what is sent twice is run twice.
    lambda: new LambdaClient({ ...settings, maxAttempts: 1 }),
    logs: new CloudWatchLogsClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    scheduler: new SchedulerClient(settings),
    secrets: new SecretsManagerClient(settings),
    sns: new SNSClient(settings),
    sqs: new SQSClient(settings),
  };
}

export function destroyClients(clients: Clients): void {
  for (const client of Object.values(clients) as { destroy(): void }[]) client.destroy();
}
