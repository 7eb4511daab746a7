import { BackupClient, GetBackupPlanCommand } from '@aws-sdk/client-backup';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
  type StackResourceSummary,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, DescribeSubscriptionFiltersCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { GetBucketLocationCommand, GetBucketReplicationCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import { STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';

/** Where data is, and where each resource is set up to copy it: as the settings allow, and each with its fault. */
const clients = [LambdaClient, SNSClient, STSClient].map((client) => mockClient(client as typeof LambdaClient));
const cloudFormation = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const kms = mockClient(KMSClient);
const secrets = mockClient(SecretsManagerClient);
const rds = mockClient(RDSClient);
const backup = mockClient(BackupClient);
const logs = mockClient(CloudWatchLogsClient);
const mocks = [...clients, cloudFormation, s3, kms, secrets, rds, backup, logs];

const RESOURCES: readonly [string, string][] = [
  ['AWS::S3::Bucket', 'archives'],
  ['AWS::KMS::Key', 'key-1'],
  ['AWS::SecretsManager::Secret', 'arn:aws:secretsmanager:eu-central-1:111111111111:secret:one-AbCdEf'],
  ['AWS::RDS::DBInstance', 'billing-1'],
  ['AWS::Backup::BackupPlan', 'plan-1'],
  ['AWS::Logs::LogGroup', '/aws/rds/instance/billing-1/postgresql'],
  ['AWS::ElastiCache::ServerlessCache', 'cache-1'],
  ['AWS::IAM::Role', 'role-1'],
];

const notReplicated = Object.assign(new Error('none'), { name: 'ReplicationConfigurationNotFoundError' });
const stack = (region: string, Outputs: { OutputKey: string; OutputValue: string }[]) => ({
  StackName: 'BillingOps-dev-Data',
  StackId: `arn:aws:cloudformation:${region}:111111111111:stack/BillingOps-dev-Data/1`,
  CreationTime: new Date(),
  StackStatus: 'CREATE_COMPLETE' as const,
  Outputs,
});
const ALLOWED = [{ OutputKey: 'AllowedRegions', OutputValue: 'eu-central-1,eu-west-1' }];
const replicatedTo = (...Destinations: { Bucket: string; Account?: string }[]) => ({
  ReplicationConfiguration: {
    Role: 'arn:role',
    Rules: Destinations.map((Destination) => ({ Status: 'Enabled' as const, Destination })),
  },
});

beforeEach(() => {
  for (const mock of mocks) mock.reset();
  cloudFormation.on(DescribeStacksCommand).resolves({
    // Another environment, `dev-us`, is elsewhere.
    Stacks: [
      stack('eu-central-1', ALLOWED),
      {
        ...stack('us-east-1', [{ OutputKey: 'AllowedRegions', OutputValue: 'us-east-1' }]),
        StackName: 'BillingOps-dev-us-Data',
      },
    ],
  });
  cloudFormation.on(ListStackResourcesCommand).resolves({
    StackResourceSummaries: RESOURCES.map(
      ([ResourceType, PhysicalResourceId]) => ({ ResourceType, PhysicalResourceId }) as StackResourceSummary,
    ),
  });
  s3.on(GetBucketLocationCommand).resolves({ LocationConstraint: 'eu-central-1' });
  s3.on(GetBucketLocationCommand, { Bucket: 'archives-copy' }).resolves({ LocationConstraint: 'eu-west-1' });
  s3.on(GetBucketReplicationCommand).resolves(
    replicatedTo({ Bucket: 'arn:aws:s3:::archives-copy' }, { Bucket: 'arn:aws:s3:::other', Account: '999999999999' }),
  );
  kms.on(DescribeKeyCommand).resolves({ KeyMetadata: { KeyId: 'key-1' } });
  secrets.on(DescribeSecretCommand).resolves({ ReplicationStatus: [{ Region: 'eu-west-1' }] });
  rds.on(DescribeDBInstancesCommand).resolves({ DBInstances: [{ ReadReplicaDBInstanceIdentifiers: ['billing-1-a'] }] });
  backup.on(GetBackupPlanCommand).resolves(planTo('eu-west-1'));
  logs.on(DescribeSubscriptionFiltersCommand).resolves({});
});

const planTo = (region: string) => ({
  BackupPlan: {
    BackupPlanName: 'billing',
    Rules: [
      {
        RuleName: 'daily',
        TargetBackupVaultName: 'vault',
        CopyActions: [{ DestinationBackupVaultArn: `arn:aws:backup:${region}:111111111111:backup-vault:copies` }],
      },
    ],
  },
});

/** The finding of the check. */
async function residency(): Promise<unknown> {
  const { stdout } = await runOps(['doctor', '--quick', '--json', '--env', 'dev']);
  return (JSON.parse(stdout) as { readonly check: string }[]).find(({ check }) => check === 'residency');
}

test('data in the allowed regions is good, asked by the exact calls', async () => {
  expect(await residency()).toEqual({
    check: 'residency',
    state: 'good',
    detail:
      '7 resources with data, and their copies, are in eu-central-1, eu-west-1; not looked up: existing instances, and the stack of the second region',
    fix: null,
  });
  const inputs = (mock: { calls(): { args: [{ input: unknown }, ...unknown[]] }[] }) =>
    mock.calls().map(({ args: [{ input }] }) => input);
  expect(cloudFormation.commandCalls(ListStackResourcesCommand).map(({ args }) => args[0].input)).toEqual([
    { StackName: 'BillingOps-dev-Data' },
  ]);
  expect(inputs(s3)).toEqual([{ Bucket: 'archives' }, { Bucket: 'archives' }, { Bucket: 'archives-copy' }]);
  expect(inputs(kms)).toEqual([{ KeyId: 'key-1' }]);
  expect(inputs(backup)).toEqual([{ BackupPlanId: 'plan-1' }]);
  expect(inputs(logs)).toEqual([{ logGroupName: '/aws/rds/instance/billing-1/postgresql' }]);
  expect(secrets.commandCalls(DescribeSecretCommand).map(({ args }) => args[0].input)).toEqual([
    { SecretId: RESOURCES[2]?.[1] },
  ]);
});

test.each<[string, () => unknown, RegExp]>([
  [
    'a stack elsewhere',
    () => cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [stack('us-east-1', ALLOWED)] }),
    /^BillingOps-dev-Data is in us-east-1$/,
  ],
  [
    'a bucket elsewhere, in the region that S3 does not name',
    () => {
      s3.on(GetBucketReplicationCommand).rejects(notReplicated);
      s3.on(GetBucketLocationCommand).resolves({});
    },
    /^bucket archives is in us-east-1$/,
  ],
  [
    'archives that are copied elsewhere',
    () => s3.on(GetBucketLocationCommand, { Bucket: 'archives-copy' }).resolves({ LocationConstraint: 'us-west-2' }),
    /^bucket archives-copy, a copy of archives, is in us-west-2$/,
  ],
  [
    'a key with a replica elsewhere',
    () =>
      kms.on(DescribeKeyCommand).resolves({
        KeyMetadata: { KeyId: 'k', MultiRegionConfiguration: { ReplicaKeys: [{ Region: 'us-east-2' }] } },
      }),
    /^a replica of key key-1 is in us-east-2$/,
  ],
  [
    'a secret with a replica elsewhere',
    () => secrets.on(DescribeSecretCommand).resolves({ ReplicationStatus: [{ Region: 'us-east-2' }] }),
    /^a replica of secret one-AbCdEf is in us-east-2$/,
  ],
  [
    'a read replica elsewhere',
    () =>
      rds.on(DescribeDBInstancesCommand).resolves({
        DBInstances: [{ ReadReplicaDBInstanceIdentifiers: ['arn:aws:rds:us-east-1:111111111111:db:reports'] }],
      }),
    /^reports, a copy of instance billing-1, is in us-east-1$/,
  ],
  [
    'automated backups that are replicated elsewhere',
    () =>
      rds.on(DescribeDBInstancesCommand).resolves({
        DBInstances: [
          {
            DBInstanceAutomatedBackupsReplications: [
              { DBInstanceAutomatedBackupsArn: 'arn:aws:rds:us-east-1:111111111111:auto-backup:ab-1' },
            ],
          },
        ],
      }),
    /^ab-1, a copy of instance billing-1, is in us-east-1$/,
  ],
  [
    'recovery points that are copied elsewhere',
    () => backup.on(GetBackupPlanCommand).resolves(planTo('us-east-1')),
    /^copies, a copy of the recovery points of plan billing, is in us-east-1$/,
  ],
  [
    'a log that is sent elsewhere',
    () =>
      logs.on(DescribeSubscriptionFiltersCommand).resolves({
        subscriptionFilters: [{ destinationArn: 'arn:aws:logs:us-east-1:222222222222:destination:siem' }],
      }),
    /^siem, a copy of log \/aws\/rds\/instance\/billing-1\/postgresql, is in us-east-1$/,
  ],
  [
    'a deployment from before the check',
    () => cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [stack('eu-central-1', [])] }),
    /^no stack has the output AllowedRegions$/,
  ],
])('%s is wrong', async (_what, plant, detail) => {
  plant();
  expect(await residency()).toMatchObject({
    state: 'wrong',
    detail: expect.stringMatching(detail) as string,
    fix: expect.stringMatching(/allowedRegions|deploy the stack Data/) as string,
  });
});
