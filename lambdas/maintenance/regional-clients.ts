import type { BackupClient, BackupClientConfig } from '@aws-sdk/client-backup';
import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ResidencyClients } from '../../core/residency/clients';

/** The APIs that know where data is, each loaded and made when it is first asked for: other tasks need none of them. */
export class RegionalClients implements ResidencyClients {
  private readonly made = new Map<string, Promise<unknown>>();

  /** @param settings of every client */
  constructor(private readonly settings: Pick<BackupClientConfig, 'requestHandler'>) {}

  cloudFormation(region?: string): Promise<CloudFormationClient> {
    return this.once('cloudFormation', region, async (settings) => {
      const { CloudFormationClient: Client } = await import('@aws-sdk/client-cloudformation');
      return new Client(settings);
    });
  }

  s3(): Promise<S3Client> {
    return this.once('s3', undefined, async (settings) => {
      const { S3Client: Client } = await import('@aws-sdk/client-s3');
      return new Client({ ...settings, followRegionRedirects: true });
    });
  }

  kms(region?: string): Promise<KMSClient> {
    return this.once('kms', region, async (settings) => {
      const { KMSClient: Client } = await import('@aws-sdk/client-kms');
      return new Client(settings);
    });
  }

  secretsManager(region?: string): Promise<SecretsManagerClient> {
    return this.once('secretsManager', region, async (settings) => {
      const { SecretsManagerClient: Client } = await import('@aws-sdk/client-secrets-manager');
      return new Client(settings);
    });
  }

  rds(region?: string): Promise<RDSClient> {
    return this.once('rds', region, async (settings) => {
      const { RDSClient: Client } = await import('@aws-sdk/client-rds');
      return new Client(settings);
    });
  }

  backup(region?: string): Promise<BackupClient> {
    return this.once('backup', region, async (settings) => {
      const { BackupClient: Client } = await import('@aws-sdk/client-backup');
      return new Client(settings);
    });
  }

  cloudWatchLogs(region?: string): Promise<CloudWatchLogsClient> {
    return this.once('cloudWatchLogs', region, async (settings) => {
      const { CloudWatchLogsClient: Client } = await import('@aws-sdk/client-cloudwatch-logs');
      return new Client(settings);
    });
  }

  private once<Client>(
    service: string,
    region: string | undefined,
    make: (settings: Pick<BackupClientConfig, 'requestHandler' | 'region'>) => Promise<Client>,
  ): Promise<Client> {
    const key = `${service} ${region}`;
    const made = this.made.get(key) ?? make({ ...this.settings, ...(region && { region }) });
    this.made.set(key, made);
    return made as Promise<Client>;
  }
}
