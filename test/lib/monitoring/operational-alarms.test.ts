import { readdirSync } from 'node:fs';
import path from 'node:path';
import { DATABASE_NAMES } from '../../../core/contract';
import type { OperationalAlarm } from '../../../lib/config/alarms/alarm';
import { deployedEnvironment, localEnvironment } from '../../../lib/config/environments';
import { BACKUP_POLICIES, SECRET_ROTATION_DAYS } from '../../../lib/config/policies';
import { alarmsOf } from '../../../lib/monitoring/operational-alarms';
import { localOptions, queueByParameter, resourceLike, resourcesOf, templatesOf } from '../support';

const HOUR = 3600;
const DAY = 24 * HOUR;

const { data, monitoring, operations } = templatesOf('production');
const alarms = Object.values(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
const TABLE: readonly OperationalAlarm[] = alarmsOf(deployedEnvironment('production'));

function alarmOf(name: string): Record<string, unknown> {
  const alarm = alarms.find(({ AlarmName }) => AlarmName === `BillingOps-production-${name}`);
  if (!alarm) throw new Error(`No alarm ${name}`);
  return alarm;
}

interface MetricQuery {
  readonly Expression?: string;
  readonly MetricStat?: { readonly Metric: { readonly MetricName: string; readonly Dimensions: unknown[] } };
}

const queriesOf = (alarm: Record<string, unknown>) => (alarm.Metrics ?? []) as MetricQuery[];
const topicLike = (word: string) =>
  Object.keys(resourcesOf(monitoring, 'AWS::SNS::Topic')).find((id) => id.includes(word));

test.each(TABLE.map((alarm) => [alarm.name, alarm] as const))(
  '%s pages its topic, also when it is over, and says what is wrong, what to do and where to read on',
  (name, { severity, symptom, action, runbookAnchor }) => {
    const topic = { Ref: topicLike(severity === 'critical' ? 'Critical' : 'Warning') };
    expect(alarmOf(name)).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
    expect(alarmOf(name).AlarmDescription).toBe(
      `${symptom} (${severity}). ${action} Runbook: docs/runbook.md#${runbookAnchor}`,
    );
    // CloudWatch cuts it off there.
    expect(String(alarmOf(name).AlarmDescription).length).toBeLessThanOrEqual(1024);
  },
);

test('no two alarms share a name', () => {
  expect(new Set(alarms.map(({ AlarmName }) => AlarmName)).size).toBe(alarms.length);
});

describe('what does not run is noticed by its age', () => {
  const dimensions = (...own: readonly { Name: string; Value: string }[]) =>
    [...own, { Name: 'environment', Value: 'production' }, { Name: 'service', Value: 'collector' }].toSorted(
      (one, other) => one.Name.localeCompare(other.Name),
    );

  test.each([
    ...DATABASE_NAMES.flatMap(
      (database) =>
        [
          // An hour of it is the window in which the age must stay above its limit.
          [
            `backupMissing-${database}`,
            'BackupAge',
            (BACKUP_POLICIES[database].frequencyHours + 1) * HOUR,
            { database },
          ],
          [`drillMissing-${database}`, 'DrillAge', 35 * DAY, { database }],
          [`passwordNotRotated-${database}`, 'SecretAge', 92 * DAY, { secret: `${database}-database` }],
        ] as const,
    ),
    ['reconciliationMissing', 'ReconciliationAge', 25 * HOUR, {}],
    ['cleanupOverdue', 'CleanupOverdue', 2 * DAY, {}],
    ['stripeSecretOld-api', 'SecretAge', 90 * DAY, { secret: 'stripe-api' }],
    ['stripeSecretOld-signing', 'SecretAge', 90 * DAY, { secret: 'stripe-signing' }],
  ] as const)('%s: %s above %i s for an hour; an age that nobody tells is too old', (name, metric, limit, own) => {
    expect(alarmOf(name)).toMatchObject({
      MetricName: metric,
      Dimensions: dimensions(...Object.entries(own).map(([Name, Value]) => ({ Name, Value }))),
      ComparisonOperator: 'GreaterThanThreshold',
      Threshold: limit,
      Period: 300,
      EvaluationPeriods: 12,
      TreatMissingData: 'breaching',
    });
  });

  test('the collector itself, within 15 minutes, by its heartbeat', () => {
    expect(alarmOf('collectorMissing')).toMatchObject({
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      EvaluationPeriods: 3,
      TreatMissingData: 'breaching',
    });
    const queries = queriesOf(alarmOf('collectorMissing'));
    expect(queries.flatMap(({ Expression }) => Expression ?? [])).toEqual(['FILL(m0, 0) + FILL(m1, 0)']);
    expect(queries.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? [])).toEqual([
      'CollectionSucceeded',
      'CollectionFailed',
    ]);
  });

  test('a reconciliation that is switched off is not missed', () => {
    const off = localEnvironment(localOptions({ reconciliation: { enabled: false } }));
    expect(alarmsOf(off).map(({ name }) => name)).not.toContain('reconciliationMissing');
    expect(alarmsOf(localEnvironment(localOptions())).map(({ name }) => name)).toContain('reconciliationMissing');
  });

  test('passwords are rotated as often as the alarm expects', () => {
    const rotations = Object.values(resourcesOf(data, 'AWS::SecretsManager::RotationSchedule'));
    expect(rotations.length).toBeGreaterThanOrEqual(DATABASE_NAMES.length);
    for (const { Properties } of rotations) {
      expect(JSON.stringify(Properties.RotationRules)).toContain(`${SECRET_ROTATION_DAYS} days`);
    }
  });
});

describe('what is left lying is noticed', () => {
  test('parked events, critically, and for as long as they lie there', () => {
    expect(alarmOf('eventsParked')).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'ignore',
      AlarmActions: [{ Ref: topicLike('Critical') }],
    });
    const parked = queueByParameter(templatesOf('production'), 'parked', 'EventQueueParked');
    expect(alarmOf('eventsParked').Dimensions).toEqual([{ Name: 'QueueName', Value: parked }]);
  });

  test('failed starts, in the queue of every function that has one', () => {
    const queues = Object.entries(resourcesOf(operations, 'AWS::SQS::Queue'))
      .filter(([id]) => id.includes('Failures'))
      .map(([, { Properties }]) => Properties.QueueName);
    const watched = alarms
      .filter(({ AlarmName }) => String(AlarmName).includes('-failedStarts-'))
      .map(({ Dimensions }) => (Dimensions as { Value: string }[])[0]?.Value);
    const asynchronous = Object.keys(resourcesOf(operations, 'AWS::Lambda::EventInvokeConfig'));
    expect(queues).toHaveLength(asynchronous.length);
    expect(new Set(watched)).toEqual(new Set(queues));
  });
});

test('a function that crashes is noticed although it counts nothing itself', () => {
  const queries = queriesOf(alarmOf('webhookErrors'));
  expect(queries.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? [])).toEqual(['Errors', 'WebhookFailed']);
  expect(
    queries.find(({ MetricStat }) => MetricStat?.Metric.MetricName === 'Errors')?.MetricStat?.Metric.Dimensions,
  ).toEqual([{ Name: 'FunctionName', Value: 'BillingOps-production-webhook' }]);
});

test('every function that an alarm watches exists', () => {
  const functions = Object.values(resourcesOf(operations, 'AWS::Lambda::Function')).map(
    ({ Properties }) => Properties.FunctionName,
  );
  const watched = JSON.stringify(alarms).matchAll(/"Name":"FunctionName","Value":"([^"]+)"/g);
  const services = JSON.stringify(alarms).matchAll(/"Name":"service","Value":"([^"]+)"/g);
  for (const [, name] of watched) expect(functions).toContain(name);
  for (const [, service] of services) expect(functions).toContain(`BillingOps-production-${service}`);
});

test('few deliveries, all of them refused, are the mark of a wrong secret', () => {
  expect(queriesOf(alarmOf('webhooksAllRefused')).flatMap(({ Expression }) => Expression ?? [])).toEqual([
    'IF(m0 >= 3 AND FILL(m1, 0) >= m0, 1, 0)',
  ]);
});

test('the cache is watched where there is one', () => {
  const { monitoring: local } = templatesOf('local');
  const named = (template: typeof monitoring) => JSON.stringify(resourcesOf(template, 'AWS::CloudWatch::Alarm'));
  expect(named(monitoring)).toContain('cacheUnavailable');
  expect(named(local)).not.toContain('cacheUnavailable');
});

test('the cache is watched by every function that uses it', () => {
  const users = Object.values(resourcesOf(operations, 'AWS::Lambda::Function'))
    .filter(({ Properties }) => JSON.stringify(Properties.Environment ?? {}).includes('CACHE_URL'))
    .map(({ Properties }) => Properties.FunctionName);
  const watched = JSON.stringify(alarmOf('cacheUnavailable')).matchAll(/"Name":"service","Value":"([^"]+)"/g);
  expect(new Set([...watched].map(([, service]) => `BillingOps-production-${service}`))).toEqual(new Set(users));
});

test('a drill is slow above 100 % of the restore target, until a faster one', () => {
  expect(alarmOf('drillSlow-billing')).toMatchObject({
    MetricName: 'DrillTargetPercent',
    ComparisonOperator: 'GreaterThanThreshold',
    Threshold: 100,
    TreatMissingData: 'ignore',
    Dimensions: [
      { Name: 'database', Value: 'billing' },
      { Name: 'environment', Value: 'production' },
      { Name: 'service', Value: 'drill' },
    ],
  });
});

/** Metrics that no alarm looks at, each with the reason why nobody has to be told. */
const UNALARMED: Readonly<Record<string, string>> = {
  // Failures that somebody is told of in another way.
  EventsReplayFailed: 'the operator who asked gets the failed events as the answer',
  ReplayFailed: 'the operator who asked gets the error; started without waiting, it lies in the failure queue',
  RestoreFailed: 'the operator who asked gets the error; started without waiting, it lies in the failure queue',
  RowRecoveryFailed: 'the operator who asked gets the error; started without waiting, it lies in the failure queue',
  EntitlementsFailed: 'the operator who asked gets the error; started without waiting, it lies in the failure queue',
  ReconciliationInterrupted: 'the next invocation goes on; one that never completes is missing by its age',
  PointInTimeAge: 'judged by the function, which publishes `UnprotectedTiers`',
  RecoveryPointAge: 'judged by the function, which publishes `UnprotectedTiers`',
  EventsParked: 'the alarm looks into the queue itself, where a message stays until somebody acts',
  // What went well.
  BackupSucceeded: 'a backup that is missing is known by its age',
  CleanupSucceeded: 'a cleanup that is missing is known by what is overdue',
  DrillSucceeded: 'a drill that is missing is known by its age',
  ReconciliationSucceeded: 'a reconciliation that is missing is known by its age',
  RestoreSucceeded: 'says that something went well',
  RowRecoverySucceeded: 'says that something went well',
  VerifySucceeded: 'says that something went well',
  EventsProcessed: 'says that something went well',
  EventsReplayed: 'says that something went well',
  WebhookIgnored: 'an endpoint for connected accounts is sent the other mode by design',
  // How much and how long, for the dashboard.
  BackupDuration: 'a measure; too slow shows as a failure, by the timeout',
  BackupBytes: 'a measure',
  DatabaseSizeBytes: 'a measure; off RDS, the share of the disk is computed from it',
  BackupCompressedBytes: 'a measure',
  ExpiredArchives: 'a measure',
  SweptLeftovers: 'a measure',
  CleanupDuration: 'a measure',
  EventsDeleted: 'a measure',
  DrillDuration: 'a measure, judged against the target in `DrillTargetPercent`',
  EntitlementsChanged: 'a measure',
  EntitlementsDuration: 'a measure',
  EventsDuplicate: 'a measure: Stripe delivers twice as it likes',
  EventLag: 'a measure, which also counts how late Stripe delivers; what waits here is known by the age of the queue',
  WebhookProcessed: 'a measure, by status',
  SubscriptionCreated: 'a measure',
  SubscriptionCanceled: 'a measure',
  ReconciliationDuration: 'a measure',
  RestoreDuration: 'a measure',
  RowRecoveryMergedRows: 'a measure',
  VerifyDuration: 'a measure',
};

/** Names of all metrics in the contracts of the functions. */
function metricNames(): string[] {
  const folder = path.join(__dirname, '../../../lambdas');
  return readdirSync(folder).flatMap((stem) => {
    if (!readdirSync(path.join(folder, stem)).includes('contract.ts')) return [];
    const contract = jest.requireActual<Record<string, unknown>>(path.join(folder, stem, 'contract'));
    return Object.entries(contract).flatMap(([name, value]) =>
      name.endsWith('_METRICS') ? Object.values(value as Record<string, string>) : [],
    );
  });
}

test('every metric of every contract is looked at by an alarm, or listed with the reason why not', () => {
  const text = JSON.stringify(alarms);
  const isAlarmed = (metric: string) => text.includes(`"MetricName":"${metric}"`);
  const names = [...new Set(metricNames())];
  expect(names.length).toBeGreaterThan(50);
  const unknown = names.filter((name) => !isAlarmed(name) && !(name in UNALARMED));
  // A new metric: give it an alarm in `lib/config/`, or say here why nobody has to be told.
  expect(unknown).toEqual([]);
  expect(Object.keys(UNALARMED).filter((name) => !names.includes(name) || isAlarmed(name))).toEqual([]);
});

describe('failures that AWS reports', () => {
  const rules = Object.values(resourcesOf(monitoring, 'AWS::Events::Rule')).map(({ Properties }) => Properties);

  test('of backup, copy and restore jobs, instances, exports, rotations and recoveries go to the critical topic, by a role', () => {
    expect(rules).toHaveLength(7);
    for (const { Targets } of rules) {
      expect(Targets).toEqual([
        expect.objectContaining({ Arn: { Ref: topicLike('Critical') }, RoleArn: expect.anything() }),
      ]);
    }
  });

  test('include jobs that never started, and leave out those that went well', () => {
    const patterns = rules.map(({ EventPattern }) => JSON.stringify(EventPattern));
    expect(patterns.find((pattern) => pattern.includes('Backup Job State Change'))).toContain('EXPIRED');
    expect(patterns.join()).not.toMatch(/COMPLETED|SUCCEEDED|RotationSucceeded|RDS-EVENT-0042/);
  });

  test('of a rotation are matched as Secrets Manager sends them', () => {
    expect(resourceLike(monitoring, 'AWS::Events::Rule', 'RotationFailed').Properties.EventPattern).toEqual({
      source: ['aws.secretsmanager'],
      'detail-type': ['AWS Service Event via CloudTrail'],
      detail: { eventSource: ['secretsmanager.amazonaws.com'], eventName: ['RotationFailed'] },
    });
  });

  test('of a recovery name the workflows of the environment', () => {
    const recovery = JSON.stringify(
      rules.find(({ EventPattern }) => JSON.stringify(EventPattern).includes('aws.states')),
    );
    for (const database of DATABASE_NAMES) expect(recovery).toContain(`BillingOps-production-recover-${database}`);
  });
});
