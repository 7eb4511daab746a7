import { CloudFormationClient, ListStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import {
  CloudWatchLogsClient,
  DescribeQueryDefinitionsCommand,
  GetQueryResultsCommand,
  StartQueryCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { SAVED_QUERIES } from '../../lib/config/saved-queries';
import { QUERIES } from '../../ops/audit-sources';
import { runOps } from './run-ops';
import { wordsOf } from './runbook-lines';

/** One command over all that is recorded; the functions answer what they are asked, the logs what AWS would. */
const lambda = mockClient(LambdaClient);
const logs = mockClient(CloudWatchLogsClient);
const stacks = mockClient(CloudFormationClient);
const s3 = mockClient(S3Client);
const GROUPS = ['billing', 'main'].map((name) => `/aws/rds/instance/billing-operations-dev-${name}/postgresql`);

const answerOf = (answer: object) => ({ Payload: { transformToString: () => JSON.stringify(answer) } as never });
const textOf = (payload: unknown): string =>
  typeof payload === 'string' ? payload : Buffer.from(payload as Uint8Array).toString();
const asked = (): Record<string, unknown>[] =>
  lambda.commandCalls(InvokeCommand).map(({ args }) => JSON.parse(textOf(args[0].input.Payload)) as never);
const row = (fields: Record<string, string>) => Object.entries(fields).map(([field, value]) => ({ field, value }));

let unreadSecrets: { secret: string; changedAt: null }[];
let problems: string[];

beforeEach(() => {
  [unreadSecrets, problems] = [[], []];
  for (const mock of [lambda, logs, stacks, s3]) mock.reset();
  lambda.on(InvokeCommand).callsFake(({ Payload }: { Payload: Uint8Array | string }) => {
    const { action, database } = JSON.parse(textOf(Payload)) as { action: string; database?: string };
    if (action === 'list') {
      const ann = { who: 'arn:aws:iam::111111111111:user/ann', finishedAt: null, message: null };
      return answerOf({
        action,
        actions: [
          {
            id: '20261103T100000Z-1f0c9a3e',
            begunAt: '2026-11-03T10:00:00.000Z',
            command: 'ops keys revoke key-1',
            result: 'done',
            ...ann,
          },
          {
            id: '20261020T100000Z-1f0c9a3e',
            begunAt: '2026-10-20T10:00:00.000Z',
            command: 'ops drill main',
            result: null,
            ...ann,
          },
        ],
      });
    }
    const records =
      database === 'billing'
        ? [
            {
              at: '2026-11-02T00:00:00.000Z',
              kind: 'owners',
              who: 'user/bob',
              what: 'assigned an owner',
              about: 'sub_1',
            },
          ]
        : [];
    if (action === 'records') return answerOf({ action, database, records });
    const secrets = [{ secret: 'billing-database', changedAt: '2026-11-04T00:00:00.000Z' }, ...unreadSecrets];
    const empty = { databases: [], events: null, queues: null, reconciliation: null, money: null };
    return answerOf({ action: 'status', at: '2026-11-05T00:00:00.000Z', secrets, problems, ...empty });
  });
  logs
    .on(DescribeQueryDefinitionsCommand)
    .callsFake(({ queryDefinitionNamePrefix: name }: { queryDefinitionNamePrefix: string }) => ({
      queryDefinitions: [{ name, queryString: `query of ${name}`, logGroupNames: GROUPS }],
    }));
  logs.on(StartQueryCommand).callsFake(({ queryString }: { queryString: string }) => ({ queryId: queryString }));
  logs.on(GetQueryResultsCommand).callsFake(({ queryId }: { queryId: string }) => ({
    status: 'Complete',
    results: queryId.startsWith('fields @timestamp, ip')
      ? [
          row({
            '@timestamp': '2026-11-01 09:00:00.000',
            ip: '203.0.113.7',
            httpMethod: 'GET',
            resourcePath: '/admin',
            status: '403',
            requestId: 'request-1',
          }),
        ]
      : queryId.includes(QUERIES.logins)
        ? [row({ '@timestamp': '2026-11-03 08:00:00.123', user: 'ann', database: 'billing', address: '10.40.96.17' })]
        : queryId.includes(QUERIES.reads)
          ? [
              ['SELECT', 'billing.customers', '"SELECT email'],
              ['SELECT', '', 'SELECT 1;,<not logged>'],
            ].map(([command = '', object = '', statement = ''], second) =>
              row({
                '@timestamp': `2026-11-03 08:00:3${second}.000`,
                user: 'ann',
                database: 'billing',
                command,
                object,
                statement,
              }),
            )
          : [
              row({
                '@timestamp': '2026-11-03 08:01:00.000',
                user: 'ann',
                database: 'billing',
                class: 'WRITE',
                command: 'DELETE',
                statement: 'DELETE FROM billing.subscriptions',
              }),
            ],
  }));
});

const RESOURCES = [
  ['Operations', 'AWS::Logs::LogGroup', 'HttpApiAccessLog37FAD39B', 'access-log-1'],
  ['Data', 'AWS::S3::Bucket', 'ArchivesAccessLogs1A2B3C4D', 'access-logs-bucket'],
] as const;
const requestOf = (time: string, requester: string, operation: string, key: string, status = '200') =>
  `79a5 archives-bucket [${time} +0000] 203.0.113.9 ${requester} 3E57427F33A59F07 ${operation} ${key} "GET /${key}?x=\\"y\\" HTTP/1.1" ${status} - 113 113 7 6 "-" "aws-cli/2" - host SigV4 TLS AuthHeader archives-bucket.s3 TLSv1.3 - -`;
const FUNCTION =
  'arn:aws:sts::111111111111:assumed-role/BillingOps-dev-Operations-BackupRole1A2B/BillingOps-dev-backup';
const FILES: Readonly<Record<string, string>> = {
  'archives/2026-11-02-11-00-00-A': [
    requestOf(
      '02/Nov/2026:10:20:30',
      'arn:aws:sts::111111111111:assumed-role/Admin/BillingOps-dev-ann',
      'REST.GET.OBJECT',
      'archives/billing/x/manifest%2Ejson',
    ),
    requestOf('02/Nov/2026:10:20:31', FUNCTION, 'REST.PUT.OBJECT', 'archives/billing/x/part'),
  ].join('\n'),
  // Delivered after the time that is asked for.
  'archives/2026-11-05-03-00-00-B': `${requestOf('04/Nov/2026:23:00:00', '-', 'REST.GET.OBJECT', 'archives/main', '403')}\n`,
  'archives/2026-11-07-00-00-00-C': requestOf('03/Nov/2026:00:00:00', 'late', 'REST.GET.OBJECT', 'x'),
};

beforeEach(() => {
  // No second region.
  lambda.on(GetFunctionConfigurationCommand).resolves({ Environment: { Variables: { COPY_REGION: '' } } });
  stacks.on(ListStackResourcesCommand).callsFake(({ StackName }: { StackName: string }) => ({
    StackResourceSummaries: RESOURCES.filter(([stack]) => StackName === `BillingOps-dev-${stack}`).map(
      ([, ResourceType, LogicalResourceId, PhysicalResourceId]) => ({
        ResourceType,
        LogicalResourceId,
        PhysicalResourceId,
      }),
    ),
  }));
  s3.on(ListObjectsV2Command).resolves({ Contents: Object.keys(FILES).map((Key) => ({ Key })) });
  s3.on(GetObjectCommand).callsFake(({ Key }: { Key: string }) => ({
    Body: { transformToString: () => Promise.resolve(FILES[Key]) },
  }));
});

const SPAN = '--since 2026-11-01T00:00:00Z --until 2026-11-05T00:00:00Z';
const run = async (line: string) => {
  const { status, stdout } = await runOps([...wordsOf(`audit ${SPAN} ${line}`), '--env', 'dev', '--json']);
  return {
    status,
    report: JSON.parse(stdout) as {
      entries: { source: string; who: string | null; what: string; about: string }[];
      leftOut: number;
      notAsked: object[];
      incomplete: string[];
    },
  };
};

test('all that is recorded of a time is one list, the newest first, asked by the exact calls', async () => {
  const { status, report } = await run('');
  expect([status, report.notAsked, report.incomplete]).toEqual([0, [], []]);
  expect(report.entries.map(({ source, who, what, about }) => [source, who, what, about])).toEqual([
    ['objects', 'not signed, from 203.0.113.9', 'REST.GET.OBJECT was answered 403, from 203.0.113.9', 'archives/main'],
    ['secrets', null, 'was changed, for the last time so far', 'billing-database'],
    ['operations', '111111111111:user/ann', 'ops keys revoke key-1  done', null],
    ['statements', 'ann', 'WRITE DELETE: DELETE FROM billing.subscriptions', 'billing'],
    ['reads', 'ann', 'SELECT: SELECT 1;,<not logged>', 'billing'],
    ['reads', 'ann', 'SELECT billing.customers: "SELECT email', 'billing'],
    ['logins', 'ann', 'logged in from 10.40.96.17', 'billing'],
    [
      'objects',
      '111111111111:assumed-role/Admin/BillingOps-dev-ann',
      'REST.GET.OBJECT was answered 200, from 203.0.113.9',
      'archives/billing/x/manifest.json',
    ],
    ['records', 'user/bob', 'assigned an owner', 'sub_1'],
    ['api', '203.0.113.7', 'GET /admin was answered 403', 'request-1'],
  ]);
  expect(s3.commandCalls(ListObjectsV2Command).map(({ args }) => args[0].input)).toEqual([
    { Bucket: 'access-logs-bucket', Prefix: 'archives/', StartAfter: 'archives/2026-11-01-00-00-00' },
  ]);
  expect(s3.commandCalls(GetObjectCommand).map(({ args }) => args[0].input.Key)).toEqual(
    Object.keys(FILES).slice(0, 2),
  );
  const span = { since: '2026-11-01T00:00:00.000Z', until: '2026-11-05T00:00:00.000Z' };
  expect(asked()).toEqual([
    { action: 'list', days: 5, until: span.until, limit: 200 },
    { action: 'records', database: 'billing', ...span, limit: 500 },
    { action: 'records', database: 'main', ...span, limit: 500 },
    { action: 'status' },
  ]);
  expect(logs.commandCalls(StartQueryCommand).map(({ args }) => args[0].input)).toEqual(
    [
      ...[QUERIES.logins, QUERIES.statements, QUERIES.reads].map((title) => ({
        logGroupNames: GROUPS,
        queryString: `query of BillingOps/dev/${title}`,
      })),
      {
        logGroupNames: ['access-log-1'],
        queryString: [
          'fields @timestamp, ip, httpMethod, resourcePath, status, requestId',
          'filter resourcePath not in ["/api/v1/webhooks/stripe", "/api/v1/webhooks/tilled"]',
          'sort @timestamp desc',
          'limit 200',
        ].join('\n| '),
      },
    ].map((asks) => ({
      ...asks,
      startTime: Date.parse(span.since) / 1000,
      endTime: Date.parse(span.until) / 1000,
    })),
  );
});

test('entries are chosen by who, by what they are about, and by their source', async () => {
  const sources = async (line: string) => (await run(line)).report.entries.map(({ source }) => source);
  await expect(sources('--who ANN')).resolves.toEqual([
    'operations',
    'statements',
    'reads',
    'reads',
    'logins',
    'objects',
  ]);
  await expect(sources('--about billing.customers')).resolves.toEqual(['reads']);
  await expect(sources('--about billing.subscriptions')).resolves.toEqual(['statements']);
  await expect(sources('--about key-1')).resolves.toEqual(['operations']);
  lambda.resetHistory();
  const { status, report } = await run('--source logins --source statements --limit 1');
  expect([status, report.leftOut, report.entries.map(({ source }) => source)]).toEqual([1, 1, ['statements']]);
  expect(asked()).toEqual([]);
});

test('a source that cannot be asked, or has more than it lists, makes the answer a finding that names it', async () => {
  logs.on(DescribeQueryDefinitionsCommand).resolves({ queryDefinitions: [] });
  const without = await run('--source logins --source operations');
  expect([without.status, without.report.notAsked]).toEqual([
    1,
    [
      {
        source: 'logins',
        why: expect.stringContaining('there is no saved query "BillingOps/dev/Who logged in') as string,
      },
    ],
  ]);
  expect(without.report.entries).toHaveLength(1);

  const login = row({
    '@timestamp': '2026-11-03 08:00:00.123',
    user: 'ann',
    database: 'billing',
    address: '10.40.96.17',
  });
  logs.on(DescribeQueryDefinitionsCommand).resolves({
    queryDefinitions: [
      { name: `BillingOps/dev/${QUERIES.logins}`, queryString: 'q', logGroupNames: GROUPS.slice(0, 1) },
    ],
  });
  logs.on(GetQueryResultsCommand).resolves({ status: 'Complete', results: Array.from({ length: 200 }, () => login) });
  const cut = await run('--source logins');
  expect([cut.status, cut.report.incomplete, cut.report.notAsked]).toEqual([
    1,
    ['logins'],
    [{ source: 'logins', why: 'main existed before and logs where its own parameter group says' }],
  ]);
});

test('a secret that could not be looked up makes the answer a finding that says why', async () => {
  unreadSecrets = [{ secret: 'stripe-api', changedAt: null }];
  problems = ['queues: not these', 'secret stripe-api: AccessDenied'];
  const { status, report } = await run('--source secrets');
  expect([status, report.entries.length, report.notAsked]).toEqual([
    1,
    1,
    [{ source: 'secrets', why: 'secret stripe-api: AccessDenied' }],
  ]);
});

test('a time that ends before it begins, or is longer than records are kept, is refused', async () => {
  const refused = async (line: string) => (await runOps([...wordsOf(line), '--env', 'dev'])).status;
  await expect(refused('audit --since 2026-11-02T00:00:00Z --until 2026-11-01T00:00:00Z')).resolves.toBe(2);
  await expect(refused('audit --since 2024-11-02T00:00:00Z')).resolves.toBe(2);
  await expect(refused('audit --days 366')).resolves.toBe(2);
  await expect(refused('audit --days 365 --source records')).resolves.toBe(0);
});

test('the saved queries that are asked exist', () => {
  expect(SAVED_QUERIES.map(({ title }) => title)).toEqual(expect.arrayContaining(Object.values(QUERIES)));
});

test('of more files of the access log than are read, the newest are read, and the answer is a finding', async () => {
  const keys = Array.from({ length: 2_001 }, (_, n) => `archives/2026-11-02-00-00-00-${String(n).padStart(4, '0')}`);
  for (const [token, next, Contents] of [
    [undefined, '1', keys.slice(0, 1_000)],
    ['1', '2', keys.slice(1_000, 2_000)],
    ['2', undefined, keys.slice(2_000)],
  ] as const) {
    const page = { Contents: Contents.map((Key) => ({ Key })), ...(next && { NextContinuationToken: next }) };
    s3.on(ListObjectsV2Command, token ? { ContinuationToken: token } : {}).resolves(page);
  }
  const { status, report } = await run('--source objects');
  expect([status, report.incomplete]).toEqual([1, ['objects']]);
  const read = s3.commandCalls(GetObjectCommand).map(({ args }) => args[0].input.Key);
  expect(new Set(read)).toEqual(new Set(keys.slice(1)));
});

test('lines of the access log that cannot be read make the answer a finding that counts them', async () => {
  const [line = ''] = Object.values(FILES);
  s3.on(GetObjectCommand).resolves({
    Body: { transformToString: () => Promise.resolve(`${line}\nno line of this form\n`) } as never,
  });
  const { status, report } = await run('--source objects');
  expect([status, report.entries.length, report.notAsked]).toEqual([
    1,
    2,
    [{ source: 'objects', why: '2 lines of the access log could not be read' }],
  ]);
});
