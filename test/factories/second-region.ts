import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  BackupClient,
  ListRecoveryPointsByBackupVaultCommand,
  type RecoveryPointByBackupVault,
} from '@aws-sdk/client-backup';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
  type StackResourceSummary,
  type StackStatus,
} from '@aws-sdk/client-cloudformation';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetAccountSettingsCommand, GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeAccountAttributesCommand, RDSClient } from '@aws-sdk/client-rds';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { ListSecretsCommand, type SecretListEntry, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import { newDrill, recordKey, type RegionDrill } from '../../ops/region-loss/drill-record';
import { createManifestKey, type TestManifestKey } from '../support/archive-key';
import { createBucket, objectStore } from '../support/object-store';
import { testServices } from '../support/services';
import { plantArchive, type PlantedArchive } from './copied-archive';

/** AWS's control plane in two regions. */
export const lambda = mockClient(LambdaClient);
export const cloudFormation = mockClient(CloudFormationClient);
export const kms = mockClient(KMSClient);
export const secrets = mockClient(SecretsManagerClient);
export const rds = mockClient(RDSClient);
export const backup = mockClient(BackupClient);

const HOUR_MS = 3_600_000;
export const ago = (hours: number): Date => new Date(Date.now() - hours * HOUR_MS);

/** What jest leaves real where a test moves the clock alone: commands wait for servers. */
export const CLOCKS = [
  'nextTick',
  'queueMicrotask',
  'performance',
  'hrtime',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;

/** S3 in both regions, and the files of an operator, for `dev` in eu-central-1 with its copies in eu-west-1. */
export interface TwoRegions {
  readonly s3: ReturnType<typeof objectStore>;
  /** Signs the archives. */
  readonly key: TestManifestKey;
  /** File with its public half. */
  readonly publicKey: string;
  stop(): void;
}

/** Starts them for a test file: its commands speak to the run's S3 server, and find settings of dev and dev2. */
export function startTwoRegions(): TwoRegions {
  const folder = mkdtempSync(path.join(tmpdir(), 'billing-operations-two-regions-'));
  const key = createManifestKey();
  const publicKey = path.join(folder, 'archive-signing-key.pem');
  writeFileSync(publicKey, key.publicKeyPem);
  writeFileSync(path.join(folder, 'dev.yaml'), 'region: eu-central-1\n');
  writeFileSync(path.join(folder, 'dev2.yaml'), "account: '1'\nregion: eu-west-1\n");
  process.env.AWS_ENDPOINT_URL_S3 = testServices().awsEndpoint;
  process.env.OPS_ENVIRONMENTS = folder;
  const s3 = objectStore();
  return {
    s3,
    key,
    publicKey,
    stop() {
      s3.destroy();
      delete process.env.AWS_ENDPOINT_URL_S3;
      delete process.env.OPS_ENVIRONMENTS;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Buckets of both regions with what a recovery needs. */
export interface Copies {
  readonly copies: string;
  readonly first: string;
  readonly planted: Readonly<Record<'billing' | 'main', PlantedArchive>>;
}

/**
 * Has everything that a recovery needs in the second region.
 *
 * @param copies bucket there, empty
 */
export async function plantCopies({ s3, key }: TwoRegions, copies: string): Promise<Copies> {
  const first = await createBucket(s3);
  const planted = {
    billing: await plantArchive(s3, copies, 'billing', ago(2), key),
    main: await plantArchive(s3, copies, 'main', ago(3), key),
  };
  for (const Bucket of [first, copies]) {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'erasures/20261101T000000000Z-aa.json', Body: '{}' }));
  }
  await s3.send(new PutObjectCommand({ Bucket: copies, Key: LAST_DRILL, Body: drillOf(98 * 24) }));
  controlPlaneOf(copies, first);
  return { copies, first, planted };
}

/** Key of the record of the last drill. */
export const LAST_DRILL = recordKey('2026-01-01T00:00:00.000Z');

/** The record of a drill that ended so many hours ago. */
export const drillOf = (hours: number, outcome: RegionDrill['outcome'] = 'passed'): string =>
  JSON.stringify({
    ...newDrill({
      environment: 'dev',
      into: 'dev2',
      region: 'eu-west-1',
      startedAt: ago(hours + 1).toISOString(),
      by: 'ana',
      run: 'a',
    }),
    endedAt: ago(hours).toISOString(),
    outcome,
  } satisfies RegionDrill);

/** Everything that a recovery needs of AWS's control plane, for these buckets. */
export function controlPlaneOf(copies: string, first: string): void {
  for (const mock of [lambda, cloudFormation, kms, secrets, rds, backup]) mock.reset();
  lambda.on(GetFunctionConfigurationCommand).resolves({
    Environment: { Variables: { COPY_REGION: 'eu-west-1', COPY_BUCKET: copies, ARCHIVE_BUCKET: first } },
  });
  concurrencyIs(1000);
  stacksAre({ 'BillingOps-dev-Recovery': 'CREATE_COMPLETE' });
  cloudFormation.on(ListStackResourcesCommand).resolves({
    StackResourceSummaries: [
      resource('AWS::KMS::Key', 'key-1'),
      ...['billing', 'main'].map((name) => resource('AWS::Backup::BackupVault', `billing-operations-dev-${name}`)),
    ],
  });
  kms.on(DescribeKeyCommand).resolves({ KeyMetadata: { KeyId: 'key-1', KeyState: 'Enabled' } });
  pointsAre([point(ago(4)), point(ago(10)), { ...point(ago(1)), Status: 'PARTIAL' }]);
  // A filter of tags finds what begins with it, too.
  secretsAre([...SECRETS.map((name) => entry(name)), entry('ErasureKeySecretZ-x', 'v1', 'dev2')]);
  instancesAre(3);
}

const resource = (ResourceType: string, PhysicalResourceId: string) =>
  ({ ResourceType, PhysicalResourceId, LogicalResourceId: PhysicalResourceId }) as StackResourceSummary;

/** What CloudFormation describes. */
export const stacksOf = (states: Readonly<Record<string, StackStatus>>) => ({
  Stacks: Object.entries(states).map(([StackName, StackStatus]) => ({
    StackName,
    StackStatus,
    CreationTime: new Date(),
  })),
});

export const stacksAre = (states: Readonly<Record<string, StackStatus>>) =>
  cloudFormation.on(DescribeStacksCommand).resolves(stacksOf(states));

export const point = (at: Date, region = 'eu-west-1'): RecoveryPointByBackupVault => ({
  Status: 'COMPLETED',
  CreationDate: at,
  EncryptionKeyArn: `arn:aws:kms:${region}:111111111111:key/1`,
});
export const pointsAre = (RecoveryPoints: RecoveryPointByBackupVault[]) =>
  backup.on(ListRecoveryPointsByBackupVaultCommand).resolves({ RecoveryPoints });

export const SECRETS = ['ErasureKeySecretA1-x', 'ApiKeySecretB2-x', 'StripeSecretsApiC3-x', 'StripeSecretsSigningD4-x'];
export const entry = (Name: string, version = 'v1', environment = 'dev'): SecretListEntry => ({
  Name,
  ARN: `arn:aws:secretsmanager:eu-central-1:111111111111:secret:${Name}`,
  PrimaryRegion: 'eu-central-1',
  SecretVersionsToStages: { [version]: ['AWSCURRENT'] },
  Tags: [{ Key: 'environment', Value: environment }],
});

/** Each region lists its own. */
export function secretsAre(there: SecretListEntry[], here = SECRETS.map((name) => entry(name))): void {
  secrets.on(ListSecretsCommand).callsFake(async (_input, clientOf: () => SecretsManagerClient) => {
    const region = await clientOf().config.region();
    return { SecretList: region === 'eu-west-1' ? there : here };
  });
}

export function concurrencyIs(there: number): void {
  lambda.on(GetAccountSettingsCommand).callsFake(async (_input, clientOf: () => LambdaClient) => {
    const region = await clientOf().config.region();
    return { AccountLimit: { ConcurrentExecutions: region === 'eu-west-1' ? there : 1000 } };
  });
}

export const instancesAre = (Used: number) =>
  rds
    .on(DescribeAccountAttributesCommand)
    .resolves({ AccountQuotas: [{ AccountQuotaName: 'DBInstances', Used, Max: 40 }] });
