import { MAX_RECEIVES } from '../../../lambdas/processor/contract';
import { API_PROBLEMS } from '../../../lambdas/api/contract';
import { problemSchema } from '../../../lambdas/api/problem';
import { GATEWAY_ROUTES } from '../../../lib/operations/functions/api';
import { ACCESS_LOGS } from '../../../ops/audit-access-logs';
import { SPARING } from '../../../lib/operations/sparing-memory';
import { CONTRACTS } from './function-variables';
import { FUNCTIONS, resourceLike, resourcesOf, templatesOf } from '../support';

function functionOf(environment: string, stem: string): Record<string, unknown> {
  const functions = Object.values(resourcesOf(templatesOf(environment).operations, 'AWS::Lambda::Function'));
  const found = functions.find(({ Properties }) => Properties.FunctionName === `BillingOps-${environment}-${stem}`);
  if (!found) throw new Error(`No function ${stem}`);
  return found.Properties;
}

describe.each(FUNCTIONS)('the function %s', (stem) => {
  test('has exactly the variables of its contract, the authorities of RDS where it connects, and settings of its memory', () => {
    const { Variables } = functionOf('production', stem).Environment as { Variables: Record<string, unknown> };
    const contract = CONTRACTS[stem] ?? [];
    const authorities = contract.includes('BILLING_DATABASE_HOST') ? ['NODE_EXTRA_CA_CERTS'] : [];
    const memory = ['backup', 'drill', 'restore'].includes(stem) ? Object.keys(SPARING) : [];
    expect(Object.keys(Variables).toSorted()).toEqual([...contract, ...authorities, ...memory].toSorted());
  });

  test('runs on arm64 with Node 24, with traces, and logs JSON to a group that expires', () => {
    expect(functionOf('production', stem)).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
      TracingConfig: { Mode: 'Active' },
      LoggingConfig: { LogFormat: 'JSON', LogGroup: { Ref: expect.any(String) } },
    });
  });

  test('is in the network only where it connects to a database', () => {
    const connects = (CONTRACTS[stem] ?? []).includes('BILLING_DATABASE_HOST');
    expect(functionOf('production', stem).VpcConfig !== undefined).toBe(connects);
    expect(functionOf('local', stem).VpcConfig).toBeUndefined();
  });
});

test('every log group of every stack keeps its records a year', () => {
  const groups = Object.values(templatesOf('production')).flatMap((template) =>
    Object.entries(resourcesOf(template, 'AWS::Logs::LogGroup')),
  );
  expect(groups.length).toBeGreaterThan(FUNCTIONS.length);
  expect(groups.flatMap(([id, { Properties }]) => (Properties.RetentionInDays === 365 ? [] : [id]))).toEqual([]);
});

test('the access logs that are asked are in the templates under these ids, and kept for a year', () => {
  const { data, operations } = templatesOf('production');
  const log = resourceLike(operations, 'AWS::Logs::LogGroup', ACCESS_LOGS.api).Properties;
  expect(log.RetentionInDays).toBe(365);
  const bucket = resourceLike(data, 'AWS::S3::Bucket', ACCESS_LOGS.objects).Properties;
  const { Rules } = bucket.LifecycleConfiguration as { Rules: { Id: string; ExpirationInDays?: number }[] };
  expect(Rules.find(({ Id }) => Id === 'expire')?.ExpirationInDays).toBe(366);
});

test('the queue hides a batch for six times the timeout of the processor', () => {
  const queue = resourceLike(templatesOf('production').operations, 'AWS::SQS::Queue', 'EventQueueEvents').Properties;
  expect(queue.VisibilityTimeout).toBe(6 * Number(functionOf('production', 'processor').Timeout));
});

test('an event is parked for 14 days; SQS itself parks only what it delivered as often as it counts', () => {
  const { operations } = templatesOf('production');
  const queue = resourceLike(operations, 'AWS::SQS::Queue', 'EventQueueEvents').Properties;
  const parked = resourceLike(operations, 'AWS::SQS::Queue', 'EventQueueParked').Properties;
  expect(queue.RedrivePolicy).toMatchObject({ maxReceiveCount: MAX_RECEIVES });
  expect(parked.MessageRetentionPeriod).toBe(14 * 24 * 60 * 60);
  expect(Number(queue.MessageRetentionPeriod)).toBeLessThan(Number(parked.MessageRetentionPeriod));
});

test('the processor receives batches of 200 and reports each failed event separately', () => {
  const mapping = resourceLike(templatesOf('production').operations, 'AWS::Lambda::EventSourceMapping', 'Processor');
  expect(mapping.Properties).toMatchObject({
    BatchSize: 200,
    MaximumBatchingWindowInSeconds: 1,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    ScalingConfig: { MaximumConcurrency: 5 },
  });
});

test('every route of the webhooks, the API and its page is a method, throttled, with unchanged bodies', () => {
  const { operations } = templatesOf('production');
  const resources = resourcesOf(operations, 'AWS::ApiGateway::Resource');
  const pathOf = (id: unknown): string => {
    const { Ref: reference = '' } = id as { readonly Ref?: string };
    const resource = resources[reference]?.Properties;
    return resource === undefined ? '' : `${pathOf(resource.ParentId)}/${String(resource.PathPart)}`;
  };
  const routes = Object.values(resourcesOf(operations, 'AWS::ApiGateway::Method')).map(
    ({ Properties }) => `${String(Properties.HttpMethod)} ${pathOf(Properties.ResourceId)}`,
  );
  expect(routes.toSorted()).toEqual(
    ['POST /api/v1/webhooks/stripe', ...GATEWAY_ROUTES.map(({ method, path }) => `${method} ${path}`)].toSorted(),
  );
  operations.hasResourceProperties('AWS::ApiGateway::RestApi', {
    BinaryMediaTypes: ['*/*'],
    EndpointConfiguration: { Types: ['REGIONAL'] },
  });
  const stage = resourceLike(operations, 'AWS::ApiGateway::Stage', 'Api').Properties;
  expect(stage.AccessLogSetting).toBeDefined();
  const settings = stage.MethodSettings as { ResourcePath: string; HttpMethod: string; ThrottlingRateLimit: number }[];
  expect(settings).toHaveLength(1 + GATEWAY_ROUTES.length);
  expect(settings).toContainEqual(
    expect.objectContaining({ ResourcePath: '/*', ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 }),
  );
  for (const { method, path, perSecond } of GATEWAY_ROUTES) {
    expect(settings).toContainEqual({
      HttpMethod: method,
      ResourcePath: `/~1${path.slice(1).replaceAll('/', '~1')}`,
      ThrottlingRateLimit: perSecond,
      ThrottlingBurstLimit: perSecond,
      MetricsEnabled: true,
      LoggingLevel: 'ERROR',
      DataTraceEnabled: false,
    });
  }
});

test('what API Gateway answers itself is a problem of the API, with the headers of its answers', () => {
  const answers = Object.values(resourcesOf(templatesOf('production').operations, 'AWS::ApiGateway::GatewayResponse'));
  const read = answers.map(({ Properties }) => {
    const { ResponseTemplates: templates, StatusCode, ResponseType } = Properties;
    const body = JSON.parse((templates as Record<string, string>)['application/json'] ?? '') as Record<string, unknown>;
    // A type with several statuses keeps them, and its body names none.
    expect([ResponseType, String(body.status)]).toEqual([ResponseType, String(StatusCode)]);
    expect(Object.keys(API_PROBLEMS)).toContain(body.code);
    expect(Properties.ResponseParameters).toMatchObject({
      'gatewayresponse.header.Content-Type': "'application/problem+json'",
      'gatewayresponse.header.Cache-Control': "'no-store'",
      'gatewayresponse.header.Strict-Transport-Security': "'max-age=63072000; includeSubDomains'",
      'gatewayresponse.header.X-Content-Type-Options': "'nosniff'",
    });
    return [ResponseType, StatusCode, body.code];
  });
  expect(read).toEqual(
    expect.arrayContaining([
      ['MISSING_AUTHENTICATION_TOKEN', '404', 'not_found'],
      ['THROTTLED', '429', 'throttled'],
      ['REQUEST_TOO_LARGE', '413', 'payload_too_large'],
      // Stripe delivers again what was answered 5xx.
      ['DEFAULT_5XX', undefined, 'not_answered'],
      ['DEFAULT_4XX', undefined, 'refused'],
    ]),
  );
  const bodies = answers.map(({ Properties: { ResponseTemplates: templates } }) => {
    return problemSchema.parse(JSON.parse((templates as Record<string, string>)['application/json'] ?? ''));
  });
  // 64 KiB is the limit of the API's own routes.
  expect(bodies.find(({ status }) => status === 413)?.detail).toMatch(/10 MB/);
});

test.each([
  ['EveryBilling', 'cron(0 0,6,12,18 * * ? *)', '{"database":"billing","slot":"<aws.scheduler.scheduled-time>"}', 3600],
  ['EveryMain', 'cron(0 2 * * ? *)', '{"database":"main","slot":"<aws.scheduler.scheduled-time>"}', 3600],
  ['Daily', 'cron(0 2 * * ? *)', '{"dryRun":false}', 3600],
  ['EveryNight', 'cron(0 5 * * ? *)', '{"dryRun":false}', 3600],
  ['DrillMonthlyBilling', 'cron(0 14 3 * ? *)', '{"database":"billing"}', 3600],
  ['DrillMonthlyMain', 'cron(0 14 4 * ? *)', '{"database":"main"}', 3600],
  ['CanaryEveryFiveMinutes', 'rate(5 minutes)', '{}', 60],
  ['CollectorEveryFiveMinutes', 'rate(5 minutes)', '{}', 240],
  [
    'MaintenanceWeeklyBilling',
    'cron(0 8 ? * SUN *)',
    '{"action":"run","database":"billing","tasks":["sizes","vacuum"],"dryRun":false}',
    3600,
  ],
  [
    'MaintenanceCardsMain',
    'cron(20 7 4 * ? *)',
    '{"action":"run","database":"main","tasks":["cards"],"dryRun":false}',
    3600,
  ],
  [
    'MaintenanceLogs',
    'cron(0 8 ? * SAT *)',
    '{"action":"run","database":"billing","tasks":["logs"],"dryRun":false}',
    3600,
  ],
  [
    'MaintenanceResidency',
    'cron(30 7 ? * SAT *)',
    '{"action":"run","database":"billing","tasks":["residency"],"dryRun":false}',
    3600,
  ],
  ['MonthlyReport', 'cron(0 9 6 * ? *)', '{"action":"report","send":true}', 3600],
  ['EveryMinute', 'rate(1 minute)', '{"dryRun":false}', 60],
])(
  'schedule %s runs at %s, drops a start before the next one is due, and leaves failures in a queue',
  (id, expression, input, age) => {
    const { Properties } = resourceLike(templatesOf('production').operations, 'AWS::Scheduler::Schedule', id);
    expect(Properties).toMatchObject({
      ScheduleExpression: expression,
      State: 'ENABLED',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Input: input,
        RetryPolicy: { MaximumEventAgeInSeconds: age },
        DeadLetterConfig: { Arn: expect.anything() },
      },
    });
  },
);

/** Invoked by a schedule, or by an operator who does not wait. */
const ASYNCHRONOUS = FUNCTIONS.filter(
  (stem) =>
    ![
      'api',
      'audit',
      'erasure',
      'inspect',
      'keys',
      'payouts',
      'processor',
      'reset-password',
      'verify',
      'warm',
      'webhook',
    ].includes(stem),
);

test('every asynchronous function leaves failed requests in a queue', () => {
  const invoked = Object.values(resourcesOf(templatesOf('production').operations, 'AWS::Lambda::EventInvokeConfig'));
  expect(invoked).toHaveLength(ASYNCHRONOUS.length);
  for (const { Properties } of invoked) {
    expect(Properties).toMatchObject({ DestinationConfig: { OnFailure: { Destination: expect.anything() } } });
  }
});

test.each([
  // One for each database, and the parts of large archives, four at a time for each.
  ['backup', 2 + 2 * 4],
  ['api', 10],
  ['canary', 1],
  ['cleanup', 1],
  ['drill', 1],
  // A recovery and a drill of each database, and one for the operator.
  ['erasure', 2 * 2 + 1],
  ['replay', 1],
  ['row-recovery', 1],
  ['reconciliation', 1],
  ['audit', 3],
  ['inspect', 3],
  ['keys', 1],
  ['payouts', 1],
  ['refresh', 1],
  // One for each database, and one for questions.
  ['maintenance', 3],
  ['migrate', 1],
  ['collector', 1],
])('no more than the safe number of %s runs at a time', (stem, concurrency) => {
  expect(functionOf('production', stem).ReservedConcurrentExecutions).toBe(concurrency);
});
