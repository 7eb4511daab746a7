import { readFileSync } from 'node:fs';
import path from 'node:path';
import { JOB_ALARMS } from '../../lib/config/job-alarms';
import { SEVERITIES, THRESHOLDS, type Threshold, type ThresholdName } from '../../lib/config/thresholds';
import { FAILURE_ANCHORS } from '../../lib/monitoring/failure-events';
import { assertWindow } from '../../lib/monitoring/threshold-alarms';
import { resourcesOf, templatesOf } from './support';

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

test('the thresholds are those of the operations guide', () => {
  expect(THRESHOLDS).toMatchObject({
    webhookFailures: { unit: '%', warning: 5, critical: 10 },
    queryLatency: { unit: 'ms', warning: 500, critical: 1000 },
    databaseSize: { unit: '%', warning: 80, critical: 90 },
    failedSubscriptions: { unit: '%', warning: 2, critical: 5 },
  });
});

test.each(['dev', 'staging', 'production', 'local'])(
  '%s has exactly the eight threshold alarms of the table',
  (environment) => {
    const ofThresholds = Object.keys(alarmsOf(environment)).filter((name) => /-(warning|critical)$/.test(name));
    expect(ofThresholds.toSorted()).toEqual(
      PAIRS.map(([name, severity]) => `BillingOps-${environment}-${name}-${severity}`).toSorted(),
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

test('only one query of each expression is the result', () => {
  for (const name of ['webhookFailures', 'queryLatency', 'databaseSize'] as const) {
    expect(queriesOf('production', name).filter(({ ReturnData }) => ReturnData !== false)).toHaveLength(1);
  }
});

test('silence closes the alarms on traffic and leaves the alarms on gauges as they are', () => {
  expect(
    Object.fromEntries(NAMES.map((name) => [name, alarmOf('production', name, 'critical').TreatMissingData])),
  ).toEqual({
    webhookFailures: 'notBreaching',
    queryLatency: 'notBreaching',
    databaseSize: 'ignore',
    failedSubscriptions: 'ignore',
  });
});

test('a window longer than a day is refused by name', () => {
  expect(() =>
    assertWindow('webhookFailures', { ...THRESHOLDS.webhookFailures, periodSeconds: 3600, evaluationPeriods: 25 }),
  ).toThrow('threshold webhookFailures: periodSeconds × evaluationPeriods must be at most 86400, got 90000');
});

test('the runbook has one heading for each alarm and each reported failure, each with its four steps', () => {
  const runbook = readFileSync(path.join(__dirname, '../../docs/runbook.md'), 'utf8');
  const sections = runbook.split(/^## /m).slice(1);
  const anchors = sections.map((section) => (section.split('\n')[0] ?? '').toLowerCase().replaceAll(' ', '-'));
  const linked = [
    ...NAMES.map((name) => THRESHOLDS[name].runbookAnchor),
    ...JOB_ALARMS.map(({ runbookAnchor }) => runbookAnchor),
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
