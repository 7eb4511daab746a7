import { DATABASE_NAMES } from '../../../core/contract';
import { SECRET_ROTATION_DAYS } from '../../../lambdas/inspect/contract';
import { alarmsOf } from '../../../lib/config/alarms/alarms';
import { localEnvironment } from '../../../lib/config/built-environments';
import { REPLACED_BY_NEXT_RUN } from '../../../lib/config/alarms/pipeline-alarms';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { localOptions, queueByParameter, resourceLike, resourcesOf, templatesOf } from '../support';
import { alarmOf as alarmOfTemplate, alarmsOfTemplate, queriesOf, topicOf } from './alarm-support';

const HOUR = 3600;
const DAY = 24 * HOUR;

const { data, monitoring, operations } = templatesOf('production');
const alarms = Object.values(alarmsOfTemplate('production'));
const alarmOf = (name: string) => alarmOfTemplate('production', name);

describe('a job that does not run', () => {
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
  ] as const)('raises %s when %s is above %i s for an hour, or unknown', (name, metric, limit, own) => {
    expect(alarmOf(name)).toMatchObject({
      MetricName: metric,
      Dimensions: dimensions(...Object.entries(own).map(([Name, Value]) => ({ Name, Value }))),
      ComparisonOperator: 'GreaterThanThreshold',
      Threshold: limit,
      Period: 300,
      EvaluationPeriods: 12,
      TreatMissingData: 'breaching',
      AlarmDescription: expect.stringMatching(/ above \d+ (h|days), or unknown, for 1 h\.$/m) as unknown,
    });
  });

  test('raises collectorMissing within 15 minutes when it is the collector itself', () => {
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

  test('raises no alarm when it is a reconciliation that is switched off', () => {
    const off = localEnvironment(localOptions({ reconciliation: { enabled: false } }));
    expect(alarmsOf(off).map(({ name }) => name)).not.toContain('reconciliationMissing');
    expect(alarmsOf(localEnvironment(localOptions())).map(({ name }) => name)).toContain('reconciliationMissing');
  });

  test('raises an alarm on a password no sooner than its rotation is due', () => {
    const rotations = Object.values(resourcesOf(data, 'AWS::SecretsManager::RotationSchedule'));
    expect(rotations.length).toBeGreaterThanOrEqual(DATABASE_NAMES.length);
    for (const { Properties } of rotations) {
      expect(JSON.stringify(Properties.RotationRules)).toContain(`${SECRET_ROTATION_DAYS} days`);
    }
  });
});

/** Production takes no payments in bitcoin, and has no function that follows them. */
const REPLACED = REPLACED_BY_NEXT_RUN.filter((stem) => stem !== 'confirmations');

describe('a message in a queue that should be empty', () => {
  test('raises a critical alarm while events are parked', () => {
    expect(alarmOf('eventsParked')).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      TreatMissingData: 'ignore',
      AlarmActions: [topicOf('production', 'critical')],
    });
    const parked = queueByParameter(templatesOf('production'), 'parked', 'EventQueueParked');
    expect(alarmOf('eventsParked').Dimensions).toEqual([{ Name: 'QueueName', Value: parked }]);
  });

  test('raises an alarm in the failure queue of every function that has one, but of those that the next run replaces', () => {
    const queues = Object.entries(resourcesOf(operations, 'AWS::SQS::Queue'))
      .filter(([id]) => id.includes('Failures'))
      .map(([, { Properties }]) => Properties.QueueName);
    const watched = alarms
      .filter(({ AlarmName }) => String(AlarmName).includes('-failedStarts-'))
      .map(({ Dimensions }) => (Dimensions as { Value: string }[])[0]?.Value);
    const asynchronous = Object.keys(resourcesOf(operations, 'AWS::Lambda::EventInvokeConfig'));
    expect(queues).toHaveLength(asynchronous.length);
    const replaced = REPLACED.map((stem) => `BillingOps-production-${stem}-failures`);
    expect(new Set([...watched, ...replaced])).toEqual(new Set(queues));
    expect(watched.filter((name) => replaced.includes(String(name)))).toEqual([]);
  });

  test('raises no alarm of 14 days for a function that starts again within minutes and has alarms of its own', () => {
    const schedules = Object.entries(resourcesOf(operations, 'AWS::Scheduler::Schedule'));
    const withinMinutes = schedules.flatMap(([id, { Properties }]) =>
      /^rate\((1|5) minutes?\)$/.test(String(Properties.ScheduleExpression)) ? [id] : [],
    );
    expect(withinMinutes.map((id) => /^[A-Z][a-z]+/.exec(id)?.[0].toLowerCase() ?? '').toSorted()).toEqual([
      ...REPLACED,
    ]);
    const names = Object.keys(alarmsOfTemplate('production'));
    expect(names).toEqual(expect.arrayContaining(['collectorMissing', 'collectorIncomplete', 'refreshOverdue']));
  });
});

test('a crash of the webhook function raises an alarm although the function publishes nothing', () => {
  const queries = queriesOf(alarmOf('webhookErrors'));
  expect(queries.flatMap(({ MetricStat }) => MetricStat?.Metric.MetricName ?? [])).toEqual(['Errors', 'WebhookFailed']);
  expect(
    queries.find(({ MetricStat }) => MetricStat?.Metric.MetricName === 'Errors')?.MetricStat?.Metric.Dimensions,
  ).toEqual([{ Name: 'FunctionName', Value: 'BillingOps-production-webhook' }]);
});

test('a failed step of a rotation raises an alarm, and its function logs to an encrypted group that expires', () => {
  for (const database of DATABASE_NAMES) {
    const title = database === 'billing' ? 'BillingDatabase' : 'MainDatabase';
    const { HostedRotationLambda } = resourceLike(data, 'AWS::SecretsManager::RotationSchedule', title).Properties as {
      HostedRotationLambda: { RotationLambdaName: string };
    };
    const name = HostedRotationLambda.RotationLambdaName;
    expect(alarmOf(`rotationFailed-${database}`)).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Dimensions: [{ Name: 'FunctionName', Value: name }],
      Threshold: 0,
    });
    expect(resourceLike(data, 'AWS::Logs::LogGroup', `${title}RotationLog`).Properties).toMatchObject({
      LogGroupName: `/aws/lambda/${name}`,
      RetentionInDays: 365,
      KmsKeyId: expect.anything() as unknown,
    });
  }
});

test('every function that an alarm watches exists', () => {
  const functions = [
    ...Object.values(resourcesOf(operations, 'AWS::Lambda::Function')).map(({ Properties }) => Properties.FunctionName),
    ...Object.values(resourcesOf(data, 'AWS::SecretsManager::RotationSchedule')).map(
      ({ Properties }) => (Properties.HostedRotationLambda as { RotationLambdaName: string }).RotationLambdaName,
    ),
  ];
  const watched = JSON.stringify(alarms).matchAll(/"Name":"FunctionName","Value":"([^"]+)"/g);
  const services = JSON.stringify(alarms).matchAll(/"Name":"service","Value":"([^"]+)"/g);
  for (const [, name] of watched) expect(functions).toContain(name);
  for (const [, service] of services) expect(functions).toContain(`BillingOps-production-${service}`);
});

test('three deliveries, all of them refused, raise an alarm', () => {
  expect(queriesOf(alarmOf('webhooksAllRefused')).flatMap(({ Expression }) => Expression ?? [])).toEqual([
    'IF(m0 >= 3 AND FILL(m1, 0) >= m0, 1, 0)',
  ]);
});

test('the cache has an alarm only where there is a cache', () => {
  const { monitoring: local } = templatesOf('local');
  const named = (template: typeof monitoring) => JSON.stringify(resourcesOf(template, 'AWS::CloudWatch::Alarm'));
  expect(named(monitoring)).toContain('cacheUnavailable');
  expect(named(local)).not.toContain('cacheUnavailable');
});

test('the alarm on the cache counts every function that uses the cache', () => {
  const users = Object.values(resourcesOf(operations, 'AWS::Lambda::Function'))
    .filter(({ Properties }) => JSON.stringify(Properties.Environment ?? {}).includes('CACHE_URL'))
    .map(({ Properties }) => Properties.FunctionName);
  const watched = JSON.stringify(alarmOf('cacheUnavailable')).matchAll(/"Name":"service","Value":"([^"]+)"/g);
  expect(new Set([...watched].map(([, service]) => `BillingOps-production-${service}`))).toEqual(new Set(users));
});

test('what a drill did not restore as archived warns until a drill without findings', () => {
  expect(alarmOf('drillFindings-main')).toMatchObject({
    MetricName: 'DrillFindings',
    ComparisonOperator: 'GreaterThanThreshold',
    Threshold: 0,
    TreatMissingData: 'ignore',
    AlarmDescription: expect.stringContaining('ops logs drill') as string,
  });
});

test('a drill is slow above 100 % of the restore target, until a faster drill', () => {
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
