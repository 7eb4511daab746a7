import { BackupClient, GetBackupPlanCommand } from '@aws-sdk/client-backup';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
  type StackResourceSummary,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, DescribeSubscriptionFiltersCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { type DBInstance, DBInstanceNotFoundFault, DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import {
  GetBucketLocationCommand,
  GetBucketReplicationCommand,
  ListBucketsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import { recoveryRegion } from '../../lib/data/recovery-region';
import { notReplicated, planTo, replicatedTo } from '../factories/copies-elsewhere';
import { runOps } from './run-ops';

/** Where data is, and where each resource is set up to copy it: as the settings allow, and each with its fault. */
const lambda = mockClient(LambdaClient);
const clients = [SNSClient, STSClient, CloudWatchClient, SQSClient].map((one) => mockClient(one as typeof SNSClient));
const cloudFormation = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const kms = mockClient(KMSClient);
const secrets = mockClient(SecretsManagerClient);
const rds = mockClient(RDSClient);
const backup = mockClient(BackupClient);
const logs = mockClient(CloudWatchLogsClient);
const mocks = [...clients, lambda, cloudFormation, s3, kms, secrets, rds, backup, logs];

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

/** Of the stack in the second region. */
const COPIES: readonly [string, string][] = [
  ['AWS::S3::Bucket', 'archives-copy'],
  ['AWS::KMS::Key', 'key-2'],
];

const summaryOf = ([ResourceType, PhysicalResourceId]: readonly [string, string]) =>
  ({ ResourceType, PhysicalResourceId }) as StackResourceSummary;

/** Left by a second region that no setting names any more. */
const formerBucket =
  recoveryRegion({ name: 'dev', account: '111111111111', secondRegion: 'eu-west-3' } as EnvironmentConfig)
    ?.archiveBucketName ?? '';

const stack = (region: string, Outputs: { OutputKey: string; OutputValue: string }[]) => ({
  StackName: 'BillingOps-dev-Data',
  StackId: `arn:aws:cloudformation:${region}:111111111111:stack/BillingOps-dev-Data/1`,
  CreationTime: new Date(),
  StackStatus: 'CREATE_COMPLETE' as const,
  Outputs,
});
const ALLOWED = [{ OutputKey: 'AllowedRegions', OutputValue: 'eu-central-1,eu-west-1' }];
beforeEach(() => {
  for (const mock of mocks) mock.reset();
  for (const mock of clients) mock.onAnyCommand().resolves({});
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
  reachedBy('main-old.c0ffee123.eu-central-1.rds.amazonaws.com');
  cloudFormation.on(ListStackResourcesCommand).resolves({
    StackResourceSummaries: RESOURCES.map(summaryOf),
  });
  cloudFormation.on(ListStackResourcesCommand, { StackName: 'BillingOps-dev-Recovery' }).resolves({
    StackResourceSummaries: COPIES.map(summaryOf),
  });
  s3.on(GetBucketLocationCommand).resolves({ LocationConstraint: 'eu-central-1' });
  s3.on(GetBucketLocationCommand, { Bucket: 'archives-copy' }).resolves({ LocationConstraint: 'eu-west-1' });
  s3.on(GetBucketReplicationCommand).resolves(
    replicatedTo({ Bucket: 'arn:aws:s3:::archives-copy' }, { Bucket: 'arn:aws:s3:::other', Account: '999999999999' }),
  );
  kms.on(DescribeKeyCommand).resolves({ KeyMetadata: { KeyId: 'key-1' } });
  secrets.on(DescribeSecretCommand).resolves({ ReplicationStatus: [{ Region: 'eu-west-1' }] });
  s3.on(GetBucketReplicationCommand, { Bucket: 'archives-copy' }).rejects(notReplicated);
  s3.on(ListBucketsCommand).resolves({ Buckets: [{ Name: 'archives-copy', BucketRegion: 'eu-west-1' }] });
  instances({ ReadReplicaDBInstanceIdentifiers: ['billing-1-a'] }, 'eu-central-1');
  backup.on(GetBackupPlanCommand).resolves(planTo('eu-west-1'));
  logs.on(DescribeSubscriptionFiltersCommand).resolves({});
});

/** How functions reach the main database, which no stack made. */
const reachedBy = (host: string) =>
  lambda.on(GetFunctionConfigurationCommand).resolves({
    Environment: {
      Variables: {
        BILLING_INSTANCE_IDENTIFIER: 'billing-1',
        BILLING_DATABASE_HOST: 'billing-1.c0ffee123.eu-central-1.rds.amazonaws.com',
        MAIN_INSTANCE_IDENTIFIER: 'main-old',
        MAIN_DATABASE_HOST: host,
      },
    },
  });

/** RDS knows only the instances of the region that is asked: billing-1 in the environment's, main-old in one. */
function instances(billing: DBInstance, region: string, ...ReadReplicaDBInstanceIdentifiers: string[]): void {
  const main = {
    DBInstanceArn: `arn:aws:rds:${region}:111111111111:db:main-old`,
    ReadReplicaDBInstanceIdentifiers,
  };
  rds
    .on(DescribeDBInstancesCommand)
    .callsFake(async ({ DBInstanceIdentifier: id }: { DBInstanceIdentifier: string }, clientOf: () => RDSClient) => {
      const asked = await clientOf().config.region();
      if (id === 'billing-1' && asked === 'eu-central-1') return { DBInstances: [billing] };
      if (id === 'main-old' && asked === region) return { DBInstances: [main] };
      throw new DBInstanceNotFoundFault({ message: `DBInstance ${id} not found.`, $metadata: {} });
    });
}

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
      '7 resources with data, 2 of the second region, 1 existing instance, and their copies, are in eu-central-1, eu-west-1',
    fix: null,
  });
  const inputs = (mock: { calls(): { args: [{ input: unknown }, ...unknown[]] }[] }) =>
    mock.calls().map(({ args: [{ input }] }) => input);
  expect(cloudFormation.commandCalls(ListStackResourcesCommand).map(({ args }) => args[0].input)).toEqual([
    { StackName: 'BillingOps-dev-Data' },
    { StackName: 'BillingOps-dev-Recovery' },
  ]);
  expect(
    cloudFormation
      .commandCalls(DescribeStacksCommand)
      .map(({ args }) => args[0].input)
      .slice(-3),
  ).toEqual(['Data', 'Operations', 'Monitoring'].map((each) => ({ StackName: `BillingOps-dev-${each}` })));
  expect(inputs(s3)).toEqual([
    ...['archives', 'archives', 'archives-copy', 'archives-copy', 'archives-copy'].map((Bucket) => ({ Bucket })),
    { Prefix: 'billing-ops-dev-archives-' },
  ]);
  expect(inputs(kms)).toEqual([{ KeyId: 'key-1' }, { KeyId: 'key-2' }]);
  // The check of the backups asks before.
  expect(inputs(rds).slice(-2)).toEqual(
    ['billing-1', 'main-old'].map((DBInstanceIdentifier) => ({ DBInstanceIdentifier })),
  );
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
      s3.on(GetBucketLocationCommand, { Bucket: 'archives' }).resolves({});
    },
    /^bucket archives is in us-east-1$/,
  ],
  [
    'archives that are copied elsewhere',
    () => s3.on(GetBucketLocationCommand, { Bucket: 'archives-copy' }).resolves({ LocationConstraint: 'us-west-2' }),
    /^bucket archives-copy, a copy of archives, is in us-west-2, bucket archives-copy is in us-west-2$/,
  ],
  [
    'a key with a replica elsewhere',
    () =>
      kms.on(DescribeKeyCommand, { KeyId: 'key-1' }).resolves({
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
      rds.on(DescribeDBInstancesCommand, { DBInstanceIdentifier: 'billing-1' }).resolves({
        DBInstances: [{ ReadReplicaDBInstanceIdentifiers: ['arn:aws:rds:us-east-1:111111111111:db:reports'] }],
      }),
    /^reports, a copy of instance billing-1, is in us-east-1$/,
  ],
  [
    'automated backups that are replicated elsewhere',
    () =>
      rds.on(DescribeDBInstancesCommand, { DBInstanceIdentifier: 'billing-1' }).resolves({
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
    'an existing instance elsewhere',
    () => {
      reachedBy('main-old.c0ffee123.us-east-1.rds.amazonaws.com');
      instances({}, 'us-east-1');
    },
    /^instance main-old is in us-east-1$/,
  ],
  [
    'an existing instance with a replica elsewhere',
    () => instances({}, 'eu-central-1', 'arn:aws:rds:us-east-1:111111111111:db:reports'),
    /^reports, a copy of instance main-old, is in us-east-1$/,
  ],
  [
    'a bucket in a former second region',
    () => s3.on(ListBucketsCommand).resolves({ Buckets: [{ Name: formerBucket, BucketRegion: 'eu-west-3' }] }),
    /^bucket billing-ops-dev-archives-111111111111-eu-west-3 is in eu-west-3$/,
  ],
  [
    'a key of the second region with a replica elsewhere',
    () =>
      kms.on(DescribeKeyCommand, { KeyId: 'key-2' }).resolves({
        KeyMetadata: { KeyId: 'k', MultiRegionConfiguration: { ReplicaKeys: [{ Region: 'us-east-2' }] } },
      }),
    /^a replica of key key-2 is in us-east-2$/,
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

const hostIs = (host: string) => {
  reachedBy(host);
  instances({}, 'us-east-1');
};
const denied = Object.assign(new Error(), { name: 'AccessDeniedException' });

test.each([
  ['a host of its own', () => hostIs('db.example.com'), 'instance main-old'],
  [
    'another account',
    () => hostIs('main-old.c0ffee123.eu-west-1.rds.amazonaws.com'),
    'the copies of instance main-old',
  ],
  ['a denial', () => secrets.on(DescribeSecretCommand).rejects(denied), `${RESOURCES[2]?.[1]} and its copies`],
])('a region that AWS does not tell, for %s, is a finding beside others, with a fix', async (_why, plant, what) => {
  plant();
  expect(await residency()).toMatchObject({
    state: 'wrong',
    detail: `the region of ${what} could not be told`,
    fix: expect.stringMatching(/^name the instance by the host that RDS gives it.*let the role read what/) as string,
  });
});

test('resources of the second region are asked there', async () => {
  const ids = RESOURCES.filter(([type]) => /Secret|DBInstance|BackupPlan|LogGroup/.test(type));
  cloudFormation.on(ListStackResourcesCommand, { StackName: 'BillingOps-dev-Recovery' }).resolves({
    StackResourceSummaries: ids.map(
      ([ResourceType, PhysicalResourceId]) => ({ ResourceType, PhysicalResourceId }) as StackResourceSummary,
    ),
  });
  rds.on(DescribeDBInstancesCommand).resolves({ DBInstances: [{}] });
  await residency();
  for (const [mock, command] of [
    [secrets, DescribeSecretCommand],
    [rds, DescribeDBInstancesCommand],
    [backup, GetBackupPlanCommand],
    [logs, DescribeSubscriptionFiltersCommand],
  ] as const) {
    const calls = (mock as typeof secrets).commandCalls(command as typeof DescribeSecretCommand);
    const regions = calls.map(({ thisValue }) => (thisValue as SecretsManagerClient).config.region());
    expect(await Promise.all(regions)).toContain('eu-west-1');
  }
});

test('an environment without a second region, or existing instances, is asked for neither', async () => {
  const missing = { name: 'ValidationError', message: 'Stack with id BillingOps-dev-Recovery does not exist' };
  cloudFormation
    .on(ListStackResourcesCommand, { StackName: 'BillingOps-dev-Recovery' })
    .rejects(Object.assign(new Error(missing.message), missing));
  lambda.on(GetFunctionConfigurationCommand).resolves({ Environment: { Variables: {} } });
  expect(await residency()).toMatchObject({
    state: 'good',
    detail: '7 resources with data, and their copies, are in eu-central-1, eu-west-1',
  });
});
