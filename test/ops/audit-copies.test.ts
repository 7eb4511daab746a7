import { CloudFormationClient, ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** The access log of the copies in the second region, beside that of the archives. */
const lambda = mockClient(LambdaClient);
const stacks = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const ARCHIVES = 'access-logs';
const COPIES = 'access-logs-of-copies';
const BUCKETS: Readonly<Record<string, string>> = {
  'BillingOps-dev-Data': ARCHIVES,
  'BillingOps-dev-Recovery': COPIES,
};

const requestOf = (time: string, requester: string, operation: string, key: string) =>
  `79a5 bucket [02/Nov/2026:${time} +0000] 203.0.113.9 ${requester} 3E57 ${operation} ${key} "GET /${key} HTTP/1.1" 200 - 1`;
const COPYING = 'arn:aws:sts::111111111111:assumed-role/BillingOps-dev-Data-ArchiveReplicationRole1A2B/s3-replication';
const LINES: Readonly<Record<string, string>> = {
  [ARCHIVES]: requestOf('10:00:00', 'arn:aws:iam::111111111111:user/ann', 'REST.GET.OBJECT', 'archives/main/x'),
  [COPIES]: [
    requestOf('11:00:00', COPYING, 'REST.PUT.OBJECT', 'archives/main/x'),
    requestOf('12:00:00', 'arn:aws:iam::111111111111:user/eve', 'REST.GET.OBJECT', 'archives/main/x'),
  ].join('\n'),
};

beforeEach(() => {
  for (const mock of [lambda, stacks, s3]) mock.reset();
  lambda.on(GetFunctionConfigurationCommand).resolves({ Environment: { Variables: { COPY_REGION: 'eu-west-1' } } });
  stacks.on(ListStackResourcesCommand).callsFake(({ StackName }: { StackName: string }) => ({
    StackResourceSummaries: [
      {
        ResourceType: 'AWS::S3::Bucket',
        LogicalResourceId: 'ArchivesAccessLogs1A2B3C4D',
        PhysicalResourceId: BUCKETS[StackName],
      },
    ],
  }));
  s3.on(ListObjectsV2Command).resolves({ Contents: [{ Key: 'archives/2026-11-02-13-00-00-A' }] });
  s3.on(GetObjectCommand).callsFake(({ Bucket }: { Bucket: string }) => ({
    Body: { transformToString: () => Promise.resolve(LINES[Bucket]) },
  }));
});

async function audit() {
  const line = 'audit --since 2026-11-01T00:00:00Z --until 2026-11-05T00:00:00Z --source objects --env dev --json';
  const { status, stdout } = await runOps(wordsOf(line));
  return { status, ...(JSON.parse(stdout) as { entries: { who: string; what: string }[]; notAsked: object[] }) };
}

test('the access log of the copies is read in the second region, without what S3 itself does to copy', async () => {
  const { status, entries, notAsked } = await audit();
  expect([status, notAsked]).toEqual([0, []]);
  expect(entries.map(({ who, what }) => [who, what])).toEqual([
    ['111111111111:user/eve', 'REST.GET.OBJECT of the copy in eu-west-1 was answered 200, from 203.0.113.9'],
    ['111111111111:user/ann', 'REST.GET.OBJECT was answered 200, from 203.0.113.9'],
  ]);
  const asks = stacks.commandCalls(ListStackResourcesCommand);
  const regions = asks.map(({ thisValue }) => (thisValue as CloudFormationClient).config.region());
  expect([asks.map(({ args }) => args[0].input.StackName), await Promise.all(regions)]).toEqual([
    Object.keys(BUCKETS),
    ['eu-central-1', 'eu-west-1'],
  ]);
  const StartAfter = 'archives/2026-11-01-00-00-00';
  expect(s3.commandCalls(ListObjectsV2Command).map(({ args }) => args[0].input)).toEqual(
    [ARCHIVES, COPIES].map((Bucket) => ({ Bucket, Prefix: 'archives/', StartAfter })),
  );
});

test('both access logs are named when neither can be read, and once where one reason is that of both', async () => {
  s3.on(ListObjectsV2Command).rejects(Object.assign(new Error('no policy'), { name: 'AccessDenied' }));
  const { status, notAsked } = await audit();
  const denied = (log: string) => ({
    source: 'objects',
    why: expect.stringMatching(`^Not allowed to read the access log of ${log}`) as string,
  });
  expect([status, notAsked]).toEqual([1, [denied('the archives'), denied('the copies in the second region')]]);

  s3.on(ListObjectsV2Command).rejects(Object.assign(new Error('expired'), { name: 'ExpiredToken' }));
  expect((await audit()).notAsked).toHaveLength(1);
});

test.each([
  [COPIES, 'ann', /^Not allowed to read the access log of the copies in the second region/],
  [ARCHIVES, 'eve', /^Not allowed to read the access log of the archives/],
])('of the two access logs, %s, which cannot be read, leaves the other and is named', async (Bucket, reader, why) => {
  const denied = Object.assign(new Error('no policy'), { name: 'AccessDenied' });
  s3.on(ListObjectsV2Command, { Bucket }).rejects(denied);
  const { status, entries, notAsked } = await audit();
  expect([status, entries.map(({ who }) => who)]).toEqual([1, [`111111111111:user/${reader}`]]);
  expect(notAsked).toEqual([{ source: 'objects', why: expect.stringMatching(why) as string }]);
});
