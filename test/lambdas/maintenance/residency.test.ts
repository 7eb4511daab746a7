import { BackupClient } from '@aws-sdk/client-backup';
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
  type StackResourceSummary,
} from '@aws-sdk/client-cloudformation';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import {
  GetBucketLocationCommand,
  GetBucketReplicationCommand,
  ListBucketsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import type { MaintenanceReport } from '../../../lambdas/maintenance/contract';
import { startSecretsManager, type SecretsManager } from '../../../local/aws/secrets-manager';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { testServices } from '../../support/services';
import { emittedMetrics, startFunction, type StartedFunction } from '../../support/started-function';

/** The task `residency` through its handler: each question to AWS, the record in billing, and what the alarm looks at. */
const cloudFormation = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const kms = mockClient(KMSClient);
const rds = mockClient(RDSClient);
const backup = mockClient(BackupClient);
const ACCOUNT = '111111111111';

let billing: TestDatabase;
let secrets: SecretsManager;
let maintenance: StartedFunction;

beforeEach(async () => {
  [billing, secrets] = await Promise.all([createTestDatabase('billing'), startSecretsManager()]);
  const { user, password, host, port } = testServices().cluster;
  secrets.put('database', { username: user, password });
  const database = (prefix: string) => ({
    [`${prefix}_DATABASE_HOST`]: host,
    [`${prefix}_DATABASE_PORT`]: String(port),
    [`${prefix}_DATABASE_NAME`]: billing.name,
    [`${prefix}_DATABASE_SECRET_ARN`]: 'database',
    [`${prefix}_READER_SECRET_ARN`]: 'database',
    [`${prefix}_INSTANCE_IDENTIFIER`]: '',
  });
  maintenance = await startFunction(() => import('../../../lambdas/maintenance/handler'), {
    ENVIRONMENT_NAME: 'dev',
    LOG_LEVEL: 'INFO',
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.endpoint,
    ...database('BILLING'),
    ...database('MAIN'),
    MAIN_INSTANCE_IDENTIFIER: 'main-old',
    INSPECT_FUNCTION_NAME: 'inspect',
    REPORT_TOPIC_ARN: '',
  });
  for (const mock of [cloudFormation, s3, kms, rds, backup]) mock.reset();
  const missing = Object.assign(new Error('Stack with id X does not exist'), { name: 'ValidationError' });
  cloudFormation
    .on(DescribeStacksCommand)
    .rejects(missing)
    .on(DescribeStacksCommand, { StackName: 'BillingOps-dev-Data' })
    .resolves({
      Stacks: [
        {
          StackName: 'BillingOps-dev-Data',
          StackId: `arn:aws:cloudformation:eu-central-1:${ACCOUNT}:stack/BillingOps-dev-Data/1`,
          CreationTime: new Date(),
          StackStatus: 'CREATE_COMPLETE',
          Outputs: [{ OutputKey: 'AllowedRegions', OutputValue: 'eu-central-1,eu-west-1' }],
        },
      ],
    });
  stackHas('BillingOps-dev-Data', ['AWS::S3::Bucket', 'archives'], ['AWS::KMS::Key', 'key-1']);
  stackHas('BillingOps-dev-Recovery', ['AWS::KMS::Key', 'key-2']);
  s3.on(GetBucketReplicationCommand)
    .rejects(Object.assign(new Error('none'), { name: 'ReplicationConfigurationNotFoundError' }))
    .on(GetBucketLocationCommand)
    .resolves({ LocationConstraint: 'eu-central-1' })
    .on(ListBucketsCommand)
    .resolves({});
  kms.on(DescribeKeyCommand).resolves({});
  rds.on(DescribeDBInstancesCommand).resolves({
    DBInstances: [{ DBInstanceArn: `arn:aws:rds:eu-central-1:${ACCOUNT}:db:main-old` }],
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all([billing.drop(), secrets.stop()]);
});

function stackHas(StackName: string, ...resources: readonly (readonly [string, string])[]): void {
  cloudFormation.on(ListStackResourcesCommand, { StackName }).resolves({
    StackResourceSummaries: resources.map(
      ([ResourceType, PhysicalResourceId]) => ({ ResourceType, PhysicalResourceId }) as StackResourceSummary,
    ),
  });
}

async function lookUp() {
  const { result, records } = maintenance.invoke({
    action: 'run',
    database: 'billing',
    tasks: ['residency'],
    dryRun: false,
  });
  const report = (await result) as Extract<MaintenanceReport, { action: 'run' }>;
  const metric = emittedMetrics(records).find(({ name }) => name === 'DataOutsideRegions');
  return { task: report.tasks[0], metric: metric && { ...metric.dimensions, value: metric.value } };
}

/** The calls of a client, each with the region that was asked. */
async function asked(mock: typeof kms): Promise<unknown[]> {
  return Promise.all(
    mock.calls().map(async ({ args, thisValue }) => [await (thisValue as KMSClient).config.region(), args[0].input]),
  );
}

test('data in the allowed regions is on record, found by the exact calls in each region, and the alarm has a zero', async () => {
  const { task, metric } = await lookUp();
  const result = {
    allowed: ['eu-central-1', 'eu-west-1'],
    regions: ['eu-central-1'],
    resources: 2,
    copies: 1,
    existing: 1,
    outside: [],
  };
  expect(task).toMatchObject({ task: 'residency', outcome: 'done', result });
  expect(metric).toMatchObject({ database: 'billing', value: 0 });
  const names = (...stacks: string[]) => stacks.map((stack) => ({ StackName: `BillingOps-dev-${stack}` }));
  expect(await asked(cloudFormation as never)).toEqual([
    ...names('Data', 'Operations', 'Monitoring', 'Data').map((input) => ['eu-central-1', input]),
    ['eu-west-1', ...names('Recovery')],
  ]);
  expect(await asked(kms)).toEqual([
    ['eu-central-1', { KeyId: 'key-1' }],
    ['eu-west-1', { KeyId: 'key-2' }],
  ]);
  expect(await asked(rds as never)).toEqual([['eu-central-1', { DBInstanceIdentifier: 'main-old' }]]);
  expect(await asked(s3 as never)).toEqual([
    ['eu-central-1', { Bucket: 'archives' }],
    ['eu-central-1', { Bucket: 'archives' }],
    ['eu-central-1', { Prefix: 'billing-ops-dev-archives-' }],
  ]);
  const client = await billing.client();
  const { rows } = await client.query('SELECT task, outcome, result FROM operations.maintenance_runs');
  expect(rows).toEqual([{ task: 'residency', outcome: 'done', result }]);
});

test('each thing that is elsewhere, or that the function may not ask about, counts for the alarm', async () => {
  const denied = Object.assign(new Error('no policy allows it'), { name: 'AccessDenied' });
  s3.on(GetBucketLocationCommand, { Bucket: 'archives' }).rejects(denied);
  s3.on(GetBucketReplicationCommand, { Bucket: 'archives' }).resolves({
    ReplicationConfiguration: {
      Role: 'arn:role',
      Rules: ['made-by-hand', 'elsewhere'].map((name) => ({
        Status: 'Enabled',
        Destination: { Bucket: `arn:aws:s3:::${name}` },
      })),
    },
  });
  s3.on(GetBucketLocationCommand, { Bucket: 'made-by-hand' }).rejects(denied);
  s3.on(GetBucketLocationCommand, { Bucket: 'elsewhere' }).resolves({ LocationConstraint: 'us-west-2' });
  // A former second region, whose stack no policy names any more.
  stackHas('BillingOps-dev-Recovery', ['AWS::S3::Bucket', 'former']);
  s3.on(GetBucketReplicationCommand, { Bucket: 'former' }).rejects(denied);
  // What a policy has not named since, or an organisation forbids.
  kms.on(DescribeKeyCommand, { KeyId: 'key-1' }).rejects(Object.assign(new Error(), { name: 'AccessDeniedException' }));
  s3.on(ListBucketsCommand).rejects(denied);
  rds.on(DescribeDBInstancesCommand).rejects(denied);

  const { task, metric } = await lookUp();
  expect(task?.result).toMatchObject({
    outside: [
      { what: 'bucket archives', region: null },
      { what: 'bucket made-by-hand, a copy of archives,', region: null },
      { what: 'bucket elsewhere, a copy of archives,', region: 'us-west-2' },
      { what: 'key-1 and its copies', region: null },
      { what: 'the copies of bucket former', region: null },
      { what: 'copies in a former second region', region: null },
      { what: 'instance main-old and its copies', region: null },
    ],
  });
  expect(metric).toMatchObject({ database: 'billing', value: 7 });
});

test('a region that the account has not enabled holds no copies, and a look-up that AWS does not answer fails the task', async () => {
  cloudFormation
    .on(ListStackResourcesCommand, { StackName: 'BillingOps-dev-Recovery' })
    .rejects(Object.assign(new Error('invalid'), { name: 'InvalidClientTokenId' }));
  expect((await lookUp()).task?.result).toMatchObject({ copies: 0, outside: [] });

  kms.on(DescribeKeyCommand).rejects(Object.assign(new Error('not now'), { name: 'KMSInternalException' }));
  await expect(lookUp()).rejects.toMatchObject({
    code: 'maintenance_incomplete',
    message: 'Tasks on the billing database failed: residency: not now',
  });
});
