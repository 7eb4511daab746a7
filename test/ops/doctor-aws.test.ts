import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { GetAccountSettingsCommand, GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DescribeAccountAttributesCommand,
  DescribeDBInstancesCommand,
  DescribeDBSnapshotsCommand,
  RDSClient,
} from '@aws-sdk/client-rds';
import { ListSubscriptionsByTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { mockClient } from 'aws-sdk-client-mock';
import { checkLargeArchives } from '../../ops/doctor/archive-checks';
import { runOps } from './run-ops';

/** The checks of `ops doctor` that only an account on AWS has, healthy and each with its fault. */
const lambda = mockClient(LambdaClient);
const cloudFormation = mockClient(CloudFormationClient);
const rds = mockClient(RDSClient);
const sns = mockClient(SNSClient);
const sts = mockClient(STSClient);
/** Asked by checks that other tests are about. */
const others = [CloudWatchClient, SQSClient].map((client) => mockClient(client as typeof SQSClient));

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

beforeEach(() => {
  for (const mock of [lambda, cloudFormation, rds, sns, sts, ...others]) mock.reset();
  for (const mock of others) mock.onAnyCommand().resolves({});
  sts.on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:iam::111111111111:user/ann' });
  lambda.on(GetFunctionConfigurationCommand).resolves({
    FunctionArn: 'arn:aws:lambda:eu-central-1:111111111111:function:BillingOps-dev-inspect',
    Environment: { Variables: { BILLING_INSTANCE_IDENTIFIER: 'billing-1', MAIN_INSTANCE_IDENTIFIER: '' } },
  });
  lambda
    .on(GetAccountSettingsCommand)
    .resolves({ AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 966 } });
  cloudFormation.on(DescribeStacksCommand).resolves({
    Stacks: [
      {
        StackName: 'BillingOps-dev-Monitoring',
        CreationTime: new Date(),
        StackStatus: 'UPDATE_COMPLETE',
        DriftInformation: { StackDriftStatus: 'IN_SYNC' },
        Outputs: [
          { OutputKey: 'AlertsCriticalTopic0A1B2C3D', OutputValue: 'arn:critical' },
          { OutputKey: 'AlertsWarningTopic0A1B2C3D', OutputValue: 'arn:warning' },
        ],
      },
    ],
  });
  rds
    .on(DescribeDBInstancesCommand)
    .resolves({ DBInstances: [{ LatestRestorableTime: minutesAgo(4), BackupRetentionPeriod: 35 }] });
  rds.on(DescribeDBSnapshotsCommand).resolves({ DBSnapshots: [{ SnapshotCreateTime: minutesAgo(600) }] });
  rds
    .on(DescribeAccountAttributesCommand)
    .resolves({ AccountQuotas: [{ AccountQuotaName: 'ManualSnapshots', Used: 3, Max: 100 }] });
  sns.on(ListSubscriptionsByTopicCommand).resolves({ Subscriptions: [{ SubscriptionArn: 'arn:aws:sns:one' }] });
});

interface Found {
  readonly check: string;
  readonly state: string;
  readonly detail: string;
  readonly fix: string | null;
}

const CHECKS = [
  'identity',
  'stacks',
  'drift of stacks',
  'point in time of billing',
  'recovery point of billing',
  'critical topic',
  'warning topic',
  'concurrency of Lambda',
  'snapshots of RDS',
];

/** The findings of the checks that are about the account. */
async function doctor(): Promise<Found[]> {
  const { stdout } = await runOps(['doctor', '--quick', '--json', '--env', 'dev']);
  return (JSON.parse(stdout) as Found[]).filter(({ check }) => CHECKS.includes(check));
}

test('a healthy account passes, asked by the exact calls', async () => {
  const found = await doctor();
  expect(found.map(({ check, state }) => [check, state])).toEqual(CHECKS.map((check) => [check, 'good']));
  expect(rds.commandCalls(DescribeDBSnapshotsCommand)[0]?.args[0].input).toMatchObject({
    DBInstanceIdentifier: 'billing-1',
    SnapshotType: 'awsbackup',
  });
  expect(sns.commandCalls(ListSubscriptionsByTopicCommand).map(({ args }) => args[0].input)).toEqual([
    { TopicArn: 'arn:critical' },
    { TopicArn: 'arn:warning' },
  ]);
});

test('topics of a group of alarms are checked like the shared ones, by the name of the group', async () => {
  const outputs = ['AlertsDataCriticalTopic0A1B2C3D', 'AlertsDataWarningTopic0A1B2C3D'];
  cloudFormation.on(DescribeStacksCommand).resolves({
    Stacks: [
      {
        StackName: 'BillingOps-dev-Monitoring',
        CreationTime: new Date(),
        StackStatus: 'UPDATE_COMPLETE',
        Outputs: outputs.map((OutputKey) => ({ OutputKey, OutputValue: `arn:${OutputKey}` })),
      },
    ],
  });
  const { stdout } = await runOps(['doctor', '--quick', '--json', '--env', 'dev']);
  const checks = (JSON.parse(stdout) as Found[]).map(({ check }) => check);
  expect(checks).toEqual(expect.arrayContaining(['data critical topic', 'data warning topic']));
});

const withStack = (changes: object) => () =>
  cloudFormation.on(DescribeStacksCommand).resolves({
    Stacks: [
      { StackName: 'BillingOps-dev-Data', CreationTime: new Date(), StackStatus: 'CREATE_COMPLETE', ...changes },
    ] as never,
  });

test.each<[string, string, () => unknown, RegExp, RegExp]>([
  [
    'credentials of another account',
    'identity',
    () => sts.on(GetCallerIdentityCommand).resolves({ Arn: 'arn:aws:iam::222222222222:user/ann' }),
    /functions are in account 111111111111/,
    /AWS_PROFILE/,
  ],
  [
    'a deployment that was rolled back',
    'stacks',
    withStack({ StackStatus: 'UPDATE_ROLLBACK_COMPLETE' }),
    /BillingOps-dev-Data is UPDATE_ROLLBACK_COMPLETE/,
    /cdk deploy -c env=dev --all/,
  ],
  [
    'a stack that somebody changed by hand',
    'drift of stacks',
    withStack({ DriftInformation: { StackDriftStatus: 'DRIFTED' } }),
    /BillingOps-dev-Data/,
    /describe-stack-resource-drifts --stack-name BillingOps-dev-Data/,
  ],
  [
    'automated backups that stopped',
    'point in time of billing',
    () => rds.on(DescribeDBInstancesCommand).resolves({ DBInstances: [{ LatestRestorableTime: minutesAgo(90) }] }),
    /1.5 h ago|90 min ago/,
    /automated backups of billing-1/,
  ],
  [
    'no recovery point of AWS Backup',
    'recovery point of billing',
    () => rds.on(DescribeDBSnapshotsCommand).resolves({ DBSnapshots: [] }),
    /there is none/,
    /recovery-points-stale/,
  ],
  [
    'a topic that nobody confirmed',
    'critical topic',
    () =>
      sns.on(ListSubscriptionsByTopicCommand).resolves({ Subscriptions: [{ SubscriptionArn: 'PendingConfirmation' }] }),
    /0 subscribed, 1 not confirmed/,
    /confirm by the link/,
  ],
  [
    'a topic without a subscription',
    'warning topic',
    () => sns.on(ListSubscriptionsByTopicCommand).resolves({ Subscriptions: [] }),
    /0 subscribed/,
    /aws sns subscribe --topic-arn arn:warning/,
  ],
  [
    'an account whose concurrency is used up',
    'concurrency of Lambda',
    () =>
      lambda
        .on(GetAccountSettingsCommand)
        .resolves({ AccountLimit: { ConcurrentExecutions: 100, UnreservedConcurrentExecutions: 66 } }),
    /66 of 100 are not reserved/,
    /Service Quotas, Lambda/,
  ],
  [
    'few snapshots left',
    'snapshots of RDS',
    () =>
      rds
        .on(DescribeAccountAttributesCommand)
        .resolves({ AccountQuotas: [{ AccountQuotaName: 'ManualSnapshots', Used: 95, Max: 100 }] }),
    /95 of 100/,
    /Service Quotas, RDS/,
  ],
])('%s is found under "%s", with the fix', async (_what, check, plant, detail, fix) => {
  plant();
  const found = (await doctor()).find((each) => each.check === check);
  expect(found).toEqual({
    check,
    state: 'wrong',
    detail: expect.stringMatching(detail) as string,
    fix: expect.stringMatching(fix) as string,
  });
});

describe('archives of large databases', () => {
  const client = new LambdaClient({});
  const context = {
    clients: { lambda: async () => client },
    target: { environment: 'dev', label: 'dev' },
    signal: new AbortController().signal,
  } as unknown as Parameters<typeof checkLargeArchives>[0];
  const configured = (variables: Record<string, string>) =>
    lambda.on(GetFunctionConfigurationCommand, { FunctionName: 'BillingOps-dev-backup' }).resolves({
      FunctionArn: 'arn:aws:lambda:eu-central-1:111111111111:function:BillingOps-dev-backup',
      Environment: {
        Variables: {
          STREAMING_LIMIT_GIB: '40',
          BILLING_INSTANCE_IDENTIFIER: 'billing-1',
          BILLING_ARCHIVE_WORKFLOW_ARN: '',
          MAIN_INSTANCE_IDENTIFIER: '',
          MAIN_ARCHIVE_WORKFLOW_ARN: '',
          ...variables,
        },
      },
    });
  const found = async (...databases: Parameters<typeof checkLargeArchives>[1]) =>
    (await checkLargeArchives(context, databases)).map(({ state, detail, fix }) => [state, detail, fix]);
  const sized = (billing: number | null, main: number | null) =>
    found({ database: 'billing', sizeBytes: billing }, { database: 'main', sizeBytes: main });

  test('one that is too large for one call is found where no workflow archives it in parts', async () => {
    configured({});
    const fix = 'docs/deploy.md#archive-an-existing-instance-in-parts';
    expect(await sized(41 * 1024 ** 3, 41 * 1024 ** 3)).toEqual([
      ['wrong', 'above 40 GiB, RDS exports it as Parquet, from which nothing is restored; it has 41.0 GiB', fix],
      ['wrong', 'above 40 GiB, it is not archived; it has 41.0 GiB', fix],
    ]);
    expect(await sized(39 * 1024 ** 3, 39 * 1024 ** 3)).toEqual([
      ['good', expect.stringContaining('RDS exports it'), null],
      ['good', expect.stringContaining('it is not archived'), null],
    ]);
  });

  test('one of unknown size is found, whether its server or the whole status did not answer', async () => {
    configured({});
    const unknown = [
      'wrong',
      'its size is not known, and no workflow archives it above 40 GiB',
      'ops status names why; where the server does not answer, docs/runbook.md#database-unreachable. Or archive it in parts in any case: docs/deploy.md#archive-an-existing-instance-in-parts',
    ];
    expect(await sized(null, 39 * 1024 ** 3)).toEqual([unknown, ['good', expect.any(String), null]]);
    expect(await found()).toEqual([unknown, unknown]);
    configured({ MAIN_ARCHIVE_WORKFLOW_ARN: 'arn:of:workflow' });
    expect(await found()).toEqual([unknown, ['good', 'above 40 GiB in parts', null]]);
  });

  test('a limit that the function backup does not name is found', async () => {
    lambda.on(GetFunctionConfigurationCommand, { FunctionName: 'BillingOps-dev-backup' }).resolves({
      FunctionArn: 'arn:aws:lambda:eu-central-1:111111111111:function:BillingOps-dev-backup',
      Environment: { Variables: {} },
    });
    const none = [
      'wrong',
      'the function backup names no size above which it stops',
      'Deploy the stack Operations again',
    ];
    expect(await sized(1, 1)).toEqual([none, none]);
  });
});
