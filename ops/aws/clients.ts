import type { BackupClient } from '@aws-sdk/client-backup';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { LambdaClient } from '@aws-sdk/client-lambda';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { SFNClient } from '@aws-sdk/client-sfn';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { STSClient } from '@aws-sdk/client-sts';
import type { PlatformFile } from '../../local/platform/contract';
import { NotOnLocalPlatform } from '../errors';
import { localCredentials, type Target } from './target';

/** The services that the local platform serves, by the names of its file. */
type LocalService = keyof PlatformFile['endpoints'];

/** Lambda answers a request after 15 minutes at most; the margin is for the network. */
const ANSWER_TIMEOUT_MS = 16 * 60_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** APIs that answer at once. */
const SHORT_TIMEOUT_MS = 30_000;

interface Settings {
  readonly endpoint?: string;
  readonly region?: string;
  readonly credentials?: ReturnType<typeof localCredentials>;
  readonly requestHandler: { readonly connectionTimeout: number; readonly requestTimeout: number };
}

/**
 * Clients of AWS's APIs for a target, each made when it is first asked for: loading them all would cost every command half
 * a second.
 */
export class Clients {
  private readonly made = new Map<string, Promise<unknown>>();

  constructor(private readonly target: Target) {}

  lambda(): Promise<LambdaClient> {
    return this.once('lambda', async () => {
      const { LambdaClient: Client } = await import('@aws-sdk/client-lambda');
      // No second attempt: an invocation whose answer was lost may have run. Commands repeat what is safe to repeat.
      return new Client({ ...this.settings('lambda', 'Lambda', ANSWER_TIMEOUT_MS), maxAttempts: 1 });
    });
  }

  sts(): Promise<STSClient> {
    return this.once('sts', async () => {
      const { STSClient: Client } = await import('@aws-sdk/client-sts');
      return new Client(this.settings('sts', 'STS'));
    });
  }

  /** @param region another than that of the environment */
  secretsManager(region?: string): Promise<SecretsManagerClient> {
    return this.once(`secretsManager ${region}`, async () => {
      const { SecretsManagerClient: Client } = await import('@aws-sdk/client-secrets-manager');
      return new Client({ ...this.settings('secretsManager', 'Secrets Manager'), ...(region && { region }) });
    });
  }

  sqs(): Promise<SQSClient> {
    return this.once('sqs', async () => {
      const { SQSClient: Client } = await import('@aws-sdk/client-sqs');
      // By its region: the host in the URL of a queue of the local platform is not where that listens.
      return new Client({ ...this.settings('sqs', 'SQS'), useQueueUrlAsEndpoint: false });
    });
  }

  stepFunctions(): Promise<SFNClient> {
    return this.once('stepFunctions', async () => {
      const { SFNClient: Client } = await import('@aws-sdk/client-sfn');
      return new Client(this.settings('stepFunctions', 'Step Functions'));
    });
  }

  cloudWatch(): Promise<CloudWatchClient> {
    return this.once('cloudWatch', async () => {
      const { CloudWatchClient: Client } = await import('@aws-sdk/client-cloudwatch');
      return new Client(this.settings('cloudWatch', 'CloudWatch'));
    });
  }

  /** For what only AWS has of it. */
  alarms(): Promise<CloudWatchClient> {
    return this.once('alarms', async () => {
      const { CloudWatchClient: Client } = await import('@aws-sdk/client-cloudwatch');
      return new Client(this.settings(undefined, 'alarms'));
    });
  }

  /** @param region another than that of the environment */
  cloudWatchLogs(region?: string): Promise<CloudWatchLogsClient> {
    return this.once(`cloudWatchLogs ${region}`, async () => {
      const { CloudWatchLogsClient: Client } = await import('@aws-sdk/client-cloudwatch-logs');
      return new Client({ ...this.settings('cloudWatchLogs', 'CloudWatch Logs'), ...(region && { region }) });
    });
  }

  /** @param region another than that of the environment */
  cloudFormation(region?: string): Promise<CloudFormationClient> {
    return this.once(`cloudFormation ${region}`, async () => {
      const { CloudFormationClient: Client } = await import('@aws-sdk/client-cloudformation');
      return new Client({ ...this.settings(undefined, 'CloudFormation'), ...(region && { region }) });
    });
  }

  /** @param region another than that of the environment */
  rds(region?: string): Promise<RDSClient> {
    return this.once(`rds ${region}`, async () => {
      const { RDSClient: Client } = await import('@aws-sdk/client-rds');
      return new Client({ ...this.settings(undefined, 'RDS'), ...(region && { region }) });
    });
  }

  /** @param region another than that of the environment */
  backup(region?: string): Promise<BackupClient> {
    return this.once(`backup ${region}`, async () => {
      const { BackupClient: Client } = await import('@aws-sdk/client-backup');
      return new Client({ ...this.settings(undefined, 'AWS Backup'), ...(region && { region }) });
    });
  }

  /** @param region another than that of the environment */
  kms(region?: string): Promise<KMSClient> {
    return this.once(`kms ${region}`, async () => {
      const { KMSClient: Client } = await import('@aws-sdk/client-kms');
      return new Client({ ...this.settings(undefined, 'KMS keys of its own'), ...(region && { region }) });
    });
  }

  /** Buckets of any region: S3 answers where one is. */
  s3(): Promise<S3Client> {
    return this.once('s3', async () => {
      const { S3Client: Client } = await import('@aws-sdk/client-s3');
      return new Client({ ...this.settings(undefined, 'S3 with regions'), followRegionRedirects: true });
    });
  }

  sns(): Promise<SNSClient> {
    return this.once('sns', async () => {
      const { SNSClient: Client } = await import('@aws-sdk/client-sns');
      return new Client(this.settings(undefined, 'SNS, and no alarms'));
    });
  }

  /** Closes the connections of every client. */
  async close(): Promise<void> {
    const clients = await Promise.allSettled(this.made.values());
    for (const client of clients) {
      if (client.status === 'fulfilled') (client.value as { destroy(): void }).destroy();
    }
  }

  private once<Client>(name: string, make: () => Promise<Client>): Promise<Client> {
    const known = this.made.get(name) as Promise<Client> | undefined;
    const client = known ?? make();
    this.made.set(name, client);
    return client;
  }

  /**
   * @param service its name in the file of the local platform; undefined for one that is not served there
   * @throws CommandError `refused` for such a service, where the target is the local platform
   */
  private settings(service: LocalService | undefined, title: string, timeoutMs = SHORT_TIMEOUT_MS): Settings {
    const requestHandler = { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: timeoutMs };
    const { platform, region: elsewhere } = this.target;
    if (platform === undefined) return { requestHandler, ...(elsewhere === undefined ? {} : { region: elsewhere }) };
    if (service === undefined) {
      throw new NotOnLocalPlatform(title, '. This needs an environment on AWS');
    }
    const { region, endpoints } = platform;
    return { endpoint: endpoints[service], region, credentials: localCredentials(), requestHandler };
  }
}
