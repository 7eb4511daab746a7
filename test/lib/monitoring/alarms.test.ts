import { readFileSync } from 'node:fs';
import path from 'node:path';
import { deployedEnvironment } from '../../../lib/config/environments';
import { SEVERITIES, THRESHOLDS, type Threshold, type ThresholdName } from '../../../lib/config/alarms/thresholds';
import { FAILURE_ANCHORS } from '../../../lib/monitoring/failure-events';
import { assertAlarmWindow } from '../../../lib/monitoring/alarm-window';
import { alarmsOf as operationalAlarmsOf } from '../../../lib/monitoring/operational-alarms';
import { queueByParameter, resourcesOf, templatesOf } from '../support';

const NAMES = Object.keys(THRESHOLDS) as ThresholdName[];
const PAIRS = NAMES.flatMap((name) => SEVERITIES.map((severity) => [name, severity] as const));

interface MetricQuery {
  readonly Id: string;
  readonly Expression?: string;
  readonly ReturnData?: boolean;
  readonly MetricStat?: {
    readonly Stat: string;
    readonly Period: number;
    readonly Metric: { MetricName: string; Namespace: string; Dimensions: { Name: string; Value: unknown }[] };
  };
}

function alarmsOf(environment: string): Record<string, Record<string, unknown>> {
  const alarms = Object.values(resourcesOf(templatesOf(environment).monitoring, 'AWS::CloudWatch::Alarm'));
  return Object.fromEntries(alarms.map(({ Properties }) => [String(Properties.AlarmName), Properties]));
}

function alarmOf(environment: string, name: ThresholdName, severity: string): Record<string, unknown> {
  const alarm = alarmsOf(environment)[`BillingOps-${environment}-${name}-${severity}`];
  if (!alarm) throw new Error(`No ${severity} alarm of ${name}`);
  return alarm;
}

function queriesOf(environment: string, name: ThresholdName): MetricQuery[] {
  return (alarmOf(environment, name, 'critical').Metrics ?? []) as MetricQuery[];
}

test('the thresholds are those of the operations guides', () => {
  expect(THRESHOLDS).toMatchObject({
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

/** Of a machine that only RDS knows. */
const ON_RDS_ONLY: readonly ThresholdName[] = ['databaseCpu', 'databaseMemory'];

test.each(['dev', 'staging', 'production', 'local'])(
  '%s has exactly the pairs of threshold alarms of the table that it can have',
  (environment) => {
    const ofThresholds = Object.keys(alarmsOf(environment)).filter((name) => /-(warning|critical)$/.test(name));
    const expected = PAIRS.filter(([name]) => environment !== 'local' || !ON_RDS_ONLY.includes(name));
    expect(ofThresholds.toSorted()).toEqual(
      expected.map(([name, severity]) => `BillingOps-${environment}-${name}-${severity}`).toSorted(),
    );
  },
);

describe.each(PAIRS)('%s, %s', (name, severity) => {
  const threshold: Threshold = THRESHOLDS[name];

  test('fires above the threshold of the table, in the window of the table', () => {
    expect(alarmOf('production', name, severity)).toMatchObject({
      Threshold: threshold[severity],
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: threshold.evaluationPeriods,
      DatapointsToAlarm: threshold.datapointsToAlarm,
    });
  });

  test('says its threshold, its action and its runbook', () => {
    const description = String(alarmOf('production', name, severity).AlarmDescription);
    expect(description).toContain(`${threshold[severity]} ${threshold.unit}`);
    expect(description).toContain(threshold.action);
    expect(description).toContain(`docs/runbook.md#${threshold.runbookAnchor}`);
  });

  test('pages the topic of its severity only, also when it is over', () => {
    const topics = Object.keys(resourcesOf(templatesOf('production').monitoring, 'AWS::SNS::Topic'));
    const topic = topics.find((id) => id.toLowerCase().includes(severity));
    const { AlarmActions, OKActions } = alarmOf('production', name, severity);
    expect(AlarmActions).toEqual([{ Ref: topic }]);
    expect(OKActions).toEqual([{ Ref: topic }]);
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

test('query latency is the 95th percentile of at least the minimum number of statements', () => {
  const queries = queriesOf('production', 'queryLatency');
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe('IF(statements >= 20, p95, 0)');
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
  ['production', '100 * (billingDisk - billingFree) / billingDisk', 'AWS/RDS'],
  ['local', '100 * billingUsed / billingDisk', 'BillingOperations'],
])('in %s, database size is %s', (environment, expression, namespace) => {
  const queries = queriesOf(environment, 'databaseSize');
  const expressions = queries.flatMap(({ Expression }) => Expression ?? []);
  expect(expressions).toContain('MAX([billing, main])');
  expect(expressions).toContain(expression);
  expect(queries.map(({ MetricStat }) => MetricStat?.Metric.Namespace)).toContain(namespace);
});

test('deliveries that we failed are a share of those that were not refused, as API Gateway saw them', () => {
  const queries = queriesOf('production', 'webhookDelivery');
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe(
    'IF(requests - FILL(refused, 0) >= 20, 100 * FILL(failed, 0) / (requests - FILL(refused, 0)), 0)',
  );
  const api = [
    { Name: 'ApiName', Value: 'BillingOps-production' },
    { Name: 'Stage', Value: 'production' },
  ];
  for (const { MetricStat } of queries.filter((query) => query.MetricStat)) {
    expect(MetricStat).toMatchObject({ Period: 3600, Metric: { Namespace: 'AWS/ApiGateway', Dimensions: api } });
  }
  // The names that the metrics are published under.
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

test('memory is what the class of the instance has, less what RDS says is free', () => {
  const queries = queriesOf('production', 'databaseMemory');
  expect(queries.flatMap(({ Expression }) => Expression ?? [])).toEqual([
    'MAX([billing, main])',
    '100 * (billingMemory - billingFree) / billingMemory',
    '100 * (mainMemory - mainFree) / mainMemory',
  ]);
  const names = queries.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Metric.MetricName] : []));
  expect(new Set(names)).toEqual(new Set(['InstanceMemoryBytes', 'FreeableMemory']));
});

test('a database whose connections cannot be counted is as bad as one that is full', () => {
  const queries = queriesOf('local', 'databaseConnections');
  expect(queries.find(({ Expression }) => Expression)?.Expression).toBe('MAX([FILL(billing, 100), FILL(main, 100)])');
  expect(alarmOf('local', 'databaseConnections', 'critical').TreatMissingData).toBe('breaching');
});

test('only one query of each expression is the result', () => {
  for (const name of ['webhookFailures', 'queryLatency', 'databaseSize', 'databaseMemory', 'responseTime'] as const) {
    expect(queriesOf('production', name).filter(({ ReturnData }) => ReturnData !== false)).toHaveLength(1);
  }
});

test('the age of the queue is that of the queue between webhook and processor', () => {
  expect(alarmOf('production', 'eventQueueAge', 'warning')).toMatchObject({
    MetricName: 'ApproximateAgeOfOldestMessage',
    Dimensions: [
      { Name: 'QueueName', Value: queueByParameter(templatesOf('production'), 'events', 'EventQueueEvents') },
    ],
  });
});

test('silence closes the alarms on traffic and leaves the alarms on gauges as they are', () => {
  expect(
    Object.fromEntries(NAMES.map((name) => [name, alarmOf('production', name, 'critical').TreatMissingData])),
  ).toEqual({
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
    databaseConnections: 'breaching',
  });
});

test.each([
  [60, 24 * 60 + 1, 86_400],
  [300, 289, 86_400],
  [3600, 169, 604_800],
  [45, 1, 86_400],
])(
  '%i s × %i is refused by name: CloudWatch would refuse it at deployment',
  (periodSeconds, evaluationPeriods, limit) => {
    expect(() => assertAlarmWindow('drillSlow', { periodSeconds, evaluationPeriods })).toThrow(
      `alarm drillSlow: periods must be whole minutes and together at most ${limit} s, got ${evaluationPeriods} × ${periodSeconds}`,
    );
  },
);

test.each(['dev', 'staging', 'production', 'local'])(
  'every alarm of %s looks back as far as CloudWatch can',
  (environment) => {
    const alarms = Object.entries(alarmsOf(environment));
    expect(alarms.length).toBeGreaterThan(40);
    for (const [name, alarm] of alarms) {
      const periods = ((alarm.Metrics ?? []) as (MetricQuery & { Period?: number })[]).flatMap(
        ({ MetricStat, Period }) => MetricStat?.Period ?? Period ?? [],
      );
      const [period] = [...new Set([...periods, ...(alarm.Period === undefined ? [] : [Number(alarm.Period)])])];
      const seconds = Number(period) * Number(alarm.EvaluationPeriods);
      expect([name, seconds <= (Number(period) >= 3600 ? 604_800 : 86_400)]).toEqual([name, true]);
    }
  },
);

test('the runbook has one heading for each alarm and each reported failure, each with its four steps', () => {
  const runbook = readFileSync(path.join(__dirname, '../../../docs/runbook.md'), 'utf8');
  // What comes before the first alarm says how the commands are written.
  const sections = runbook.split(/^## /m).slice(1);
  const anchors = sections.map((section) => (section.split('\n')[0] ?? '').toLowerCase().replaceAll(' ', '-'));
  const linked = [
    ...NAMES.map((name) => THRESHOLDS[name].runbookAnchor),
    ...operationalAlarmsOf(deployedEnvironment('production')).map(({ runbookAnchor }) => runbookAnchor),
    ...FAILURE_ANCHORS,
  ];
  expect(anchors.toSorted()).toEqual([...new Set(linked)].toSorted());
  for (const section of sections) {
    for (const step of ['**Meaning.**', '**Investigate.**', '**Resolve.**', '**Verify.**']) {
      expect(section).toContain(step);
    }
  }
});

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
