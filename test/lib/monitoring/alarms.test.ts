import { SEVERITIES, thresholdsOf } from '../../../lib/config/alarms/alarm-definition';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { exampleEnvironment } from '../../support/example-environments';
import { assertAlarmWindow } from '../../../lib/monitoring/alarm-window';
import { queueByParameter, resourcesOf, templatesOf } from '../support';
import { alarmOf, alarmsOfTemplate, pageOf, queriesOf as queriesOfAlarm, textOf, topicOf } from './alarm-support';

const TABLE = alarmsOf(exampleEnvironment('production'));
const PAIRS = TABLE.filter((definition) => thresholdsOf(definition).length > 1);

/** Every alarm of the tables: its name, its severity and its threshold. */
const ALARMS = TABLE.flatMap((definition) =>
  thresholdsOf(definition).map(([severity, threshold]) => {
    const name = PAIRS.includes(definition) ? `${definition.name}-${severity}` : definition.name;
    return [name, severity, threshold, definition] as const;
  }),
);

/** Names of the alarms that exist only where a database runs on RDS. */
const ON_RDS_ONLY = ['databaseCpu', 'databaseMemory', 'transactionIds'];

const queriesOf = (environment: string, name: string) => queriesOfAlarm(alarmOf(environment, `${name}-critical`));

test('the thresholds are those of the operations guides', () => {
  const pairs = Object.fromEntries(PAIRS.map(({ name, unit, thresholds }) => [name, { unit, ...thresholds }]));
  expect(pairs).toMatchObject({
    webhookFailures: { unit: '%', warning: 5, critical: 10 },
    queryLatency: { unit: 'ms', warning: 500, critical: 1000 },
    databaseSize: { unit: '%', warning: 80, critical: 90 },
    failedSubscriptions: { unit: '%', warning: 2, critical: 5 },
    webhookDelivery: { unit: '%', warning: 1 },
    webhookAnswer: { unit: 'ms', critical: 5000 },
    responseTime: { unit: 'ms', warning: 500 },
    databaseCpu: { unit: '%', warning: 70 },
    databaseMemory: { unit: '%', warning: 80 },
  });
});

test.each(['dev', 'staging', 'production', 'local'])('%s has exactly the pairs of the tables', (environment) => {
  const found = Object.keys(alarmsOfTemplate(environment)).filter((name) => /-(warning|critical)$/.test(name));
  const expected = PAIRS.filter(({ name }) => environment !== 'local' || !ON_RDS_ONLY.includes(name));
  expect(expected.length).toBeGreaterThanOrEqual(environment === 'local' ? 9 : 11);
  expect(found.toSorted()).toEqual(
    expected.flatMap(({ name }) => SEVERITIES.map((severity) => `${name}-${severity}`)).toSorted(),
  );
});

test('production has exactly the alarms of the tables, each under a name of its own', () => {
  const names = ALARMS.map(([name]) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(alarmsOfTemplate('production')).toSorted()).toEqual(names.toSorted());
});

describe.each(ALARMS)('the alarm %s (%s)', (name, severity, threshold, definition) => {
  const alarm = alarmOf('production', name);

  test('compares with the threshold of the table, in the window of the table', () => {
    expect(alarm).toMatchObject({
      Threshold: threshold,
      ComparisonOperator: definition.comparisonOperator,
      EvaluationPeriods: definition.evaluationPeriods,
      TreatMissingData: definition.treatMissingData,
    });
    expect(alarm.DatapointsToAlarm).toBe(definition.datapointsToAlarm);
  });

  test('states its threshold in its unit', () => {
    const unit = { '%': ' %', ms: ' ms', s: ' (min|h|days)', count: '' }[definition.unit];
    const number = definition.unit === 's' ? '\\d+' : String(threshold);
    expect(textOf(alarm.AlarmDescription)).toMatch(new RegExp(` (above|below) ${number}${unit}[ .,]`));
  });

  test('notifies the topic of its severity only, also when it is over', () => {
    const topic = topicOf('production', severity);
    // One that follows from others pages by its composite alarm, with the same text.
    const page = pageOf('production', definition.name);
    const notifying = severity === 'critical' && page !== undefined ? page : alarm;
    expect(notifying).toMatchObject({
      AlarmActions: [topic],
      OKActions: [topic],
      AlarmDescription: alarm.AlarmDescription,
    });
    expect(notifying === alarm || alarm.AlarmActions === undefined).toBe(true);
  });
});

test('webhook failures are a share of at least the minimum volume', () => {
  const queries = queriesOf('production', 'webhookFailures');
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe(
    'IF(received >= 20, 100 * (FILL(rejected, 0) + FILL(failed, 0) + FILL(unprocessed, 0)) / received, 0)',
  );
  expect(queries.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? []).toSorted()).toEqual([
    'EventsFailed',
    'WebhookFailed',
    'WebhookReceived',
    'WebhookRejected',
  ]);
});

test('query latency is the 95th percentile of at least the minimum number of round trips', () => {
  const queries = queriesOf('production', 'queryLatency');
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe('IF(roundTrips >= 10, p95, 0)');
  expect(queries.find(({ Id }) => Id === 'p95')?.MetricStat).toMatchObject({
    Stat: 'p95',
    Metric: {
      Namespace: 'BillingOperations',
      MetricName: 'QueryDuration',
      Dimensions: [
        { Name: 'environment', Value: 'production' },
        { Name: 'service', Value: 'processor' },
      ],
    },
  });
});

test.each([
  [
    'production',
    'IF(billingDisk > 0 AND billingFree >= 0, 100 * (billingDisk - billingFree) / billingDisk)',
    'AWS/RDS',
  ],
  ['local', 'IF(billingDisk > 0 AND billingUsed >= 0, 100 * billingUsed / billingDisk)', 'BillingOperations'],
])('in %s, database size is %s', (environment, expression, namespace) => {
  const queries = queriesOf(environment, 'databaseSize');
  const expressions = queries.flatMap(({ Expression }) => Expression ?? []);
  expect(expressions).toContain('MAX([billing, main])');
  expect(expressions).toContain(expression);
  expect(queries.map(({ MetricStat }) => MetricStat?.Metric.Namespace)).toContain(namespace);
});

test('failed deliveries are a share of those that were not refused, as API Gateway counts them', () => {
  const queries = queriesOf('production', 'webhookDelivery');
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe(
    'IF(requests - FILL(refused, 0) >= 20, 100 * FILL(failed, 0) / (requests - FILL(refused, 0)), 0)',
  );
  const api = [
    { Name: 'ApiName', Value: 'BillingOps-production' },
    { Name: 'Method', Value: 'POST' },
    { Name: 'Resource', Value: '/api/v1/webhooks/stripe' },
    { Name: 'Stage', Value: 'production' },
  ];
  for (const { MetricStat } of queries.filter((query) => query.MetricStat)) {
    expect(MetricStat).toMatchObject({ Period: 3600, Metric: { Namespace: 'AWS/ApiGateway', Dimensions: api } });
  }
  // The API and the stage have the names under which API Gateway publishes.
  const { operations } = templatesOf('production');
  operations.hasResourceProperties('AWS::ApiGateway::RestApi', { Name: 'BillingOps-production' });
  operations.hasResourceProperties('AWS::ApiGateway::Stage', { StageName: 'production' });
});

test.each([
  ['webhookAnswer', 'Average'],
  ['responseTime', 'p95'],
] as const)('%s is the %s of at least the minimum number of answers', (name, statistic) => {
  const queries = queriesOf('production', name);
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe('IF(requests >= 20, latency, 0)');
  expect(queries.find(({ Id }) => Id === 'latency')?.MetricStat).toMatchObject({
    Stat: statistic,
    Metric: { Namespace: 'AWS/ApiGateway', MetricName: 'Latency' },
  });
});

test('used memory is the memory of the instance class minus what RDS reports as free', () => {
  const queries = queriesOf('production', 'databaseMemory');
  expect(queries.flatMap(({ Expression }) => Expression ?? [])).toEqual([
    'MAX([billing, main])',
    'IF(billingMemory > 0 AND billingFree >= 0, 100 * (billingMemory - billingFree) / billingMemory)',
    'IF(mainMemory > 0 AND mainFree >= 0, 100 * (mainMemory - mainFree) / mainMemory)',
  ]);
  const names = queries.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Metric.MetricName] : []));
  expect(new Set(names)).toEqual(new Set(['InstanceMemoryBytes', 'FreeableMemory']));
});

test('a database whose connections cannot be counted cannot be reached, and is not full', () => {
  expect(queriesOf('local', 'databaseConnections').find(({ Expression }) => Expression)?.Expression).toBe(
    'MAX([billing, main])',
  );
  for (const database of ['billing', 'main']) {
    expect(alarmOf('local', `databaseUnreachable-${database}`).Metrics).toContainEqual(
      expect.objectContaining({ Expression: 'IF(FILL(succeeded, 0) + FILL(failed, 0) > 0, FILL(used, -1))' }),
    );
  }
});

test('each alarm on an expression returns the result of one query', () => {
  for (const name of ['webhookFailures', 'queryLatency', 'databaseSize', 'databaseMemory', 'responseTime'] as const) {
    expect(queriesOf('production', name).filter(({ ReturnData }) => ReturnData !== false)).toHaveLength(1);
  }
});

test('the age of the oldest event is that of the queue between webhook and processor', () => {
  expect(alarmOf('production', 'eventQueueAge-warning')).toMatchObject({
    MetricName: 'ApproximateAgeOfOldestMessage',
    Dimensions: [
      { Name: 'QueueName', Value: queueByParameter(templatesOf('production'), 'events', 'EventQueueEvents') },
    ],
  });
});

test('missing data closes the alarms on traffic and leaves the alarms on gauges as they are', () => {
  expect(
    Object.fromEntries(PAIRS.map(({ name }) => [name, alarmOf('production', `${name}-critical`).TreatMissingData])),
  ).toEqual({
    apiFailed: 'notBreaching',
    webhookFailures: 'notBreaching',
    queryLatency: 'notBreaching',
    databaseSize: 'ignore',
    failedSubscriptions: 'ignore',
    webhookDelivery: 'notBreaching',
    webhookAnswer: 'notBreaching',
    responseTime: 'notBreaching',
    eventQueueAge: 'notBreaching',
    databaseCpu: 'ignore',
    databaseMemory: 'ignore',
    transactionIds: 'ignore',
    deliveriesBlocked: 'notBreaching',
    deliveriesThrottled: 'notBreaching',
    databaseConnections: 'ignore',
    certificateExpiry: 'ignore',
    // Without a dispute that awaits a response there is no due date.
    disputeDue: 'notBreaching',
  });
});

test.each([
  [60, 24 * 60 + 1, 86_400],
  [300, 289, 86_400],
  [3600, 169, 604_800],
  [45, 1, 86_400],
])(
  'a window of %i s × %i is refused by the name of its alarm, as CloudWatch would refuse it at deployment',
  (periodSeconds, evaluationPeriods, limit) => {
    expect(() => assertAlarmWindow('drillSlow', { periodSeconds, evaluationPeriods })).toThrow(
      `alarm drillSlow: periods must be whole minutes and together at most ${limit} s, got ${evaluationPeriods} × ${periodSeconds}`,
    );
  },
);

test.each(['dev', 'staging', 'production', 'local'])(
  'no alarm of %s looks back further than CloudWatch can',
  (environment) => {
    const alarms = Object.entries(alarmsOfTemplate(environment));
    expect(alarms.length).toBeGreaterThan(40);
    for (const [name, alarm] of alarms) {
      const periods = queriesOfAlarm(alarm).flatMap(({ MetricStat, Period }) => MetricStat?.Period ?? Period ?? []);
      const [period] = [...new Set([...periods, ...(alarm.Period === undefined ? [] : [Number(alarm.Period)])])];
      const seconds = Number(period) * Number(alarm.EvaluationPeriods);
      expect([name, seconds <= (Number(period) >= 3600 ? 604_800 : 86_400)]).toEqual([name, true]);
    }
  },
);

test('CloudWatch may use the key of the topics, and publish to them, from this account only', () => {
  const { monitoring } = templatesOf('production');
  const condition = { StringEquals: { 'aws:SourceAccount': '333333333333' } };
  const statements = (type: string, property: string) =>
    Object.values(resourcesOf(monitoring, type)).map(
      ({ Properties }) => (Properties[property] as { Statement: unknown[] }).Statement,
    );
  expect(statements('AWS::KMS::Key', 'KeyPolicy')).toEqual([
    expect.arrayContaining([
      expect.objectContaining({
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        Condition: expect.objectContaining(condition),
      }),
    ]),
  ]);
  const publishing = expect.arrayContaining([
    expect.objectContaining({
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Action: 'sns:Publish',
      Condition: expect.objectContaining(condition),
    }),
  ]);
  expect(statements('AWS::SNS::TopicPolicy', 'PolicyDocument')).toEqual([publishing, publishing]);
  for (const { Properties } of Object.values(resourcesOf(monitoring, 'AWS::SNS::Topic'))) {
    expect(Properties.KmsMasterKeyId).toBeDefined();
  }
});
