import { DATABASE_NAMES } from '../../lambdas/shared/contract';
import { JOB_ALARMS } from '../../lib/config/job-alarms';
import { BACKUP_POLICIES } from '../../lib/config/policies';
import { assertJobWindow } from '../../lib/monitoring/job-alarms';
import { resourcesOf, templatesOf } from './support';

const { monitoring } = templatesOf('production');
const alarms = Object.values(resourcesOf(monitoring, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties);
const alarmOf = (name: string, database: string) =>
  alarms.find(({ AlarmName }) => AlarmName === `BillingOps-production-${name}-${database}`) ?? {};
const topicLike = (word: string) =>
  Object.keys(resourcesOf(monitoring, 'AWS::SNS::Topic')).find((id) => id.includes(word));

test.each(JOB_ALARMS.map((job) => [job.name, job.database, job] as const))(
  '%s of %s pages its topic, and says what to do and where to read on',
  (name, database, job) => {
    const topic = { Ref: topicLike(job.severity === 'critical' ? 'Critical' : 'Warning') };
    expect(alarmOf(name, database)).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
    const description = String(alarmOf(name, database).AlarmDescription);
    expect(description).toContain(job.action);
    expect(description).toContain(`docs/runbook.md#${job.runbookAnchor}`);
  },
);

test.each(DATABASE_NAMES)('a backup of %s that did not run is noticed within two hours of its turn', (database) => {
  expect(alarmOf('backupMissing', database)).toMatchObject({
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 1,
    EvaluationPeriods: BACKUP_POLICIES[database].frequencyHours + 2,
    TreatMissingData: 'breaching',
  });
});

test('an export counts as a backup', () => {
  const queries = alarmOf('backupMissing', 'billing').Metrics as { Expression?: string }[];
  expect(queries.flatMap(({ Expression }) => Expression ?? [])).toEqual(['FILL(m0, 0) + FILL(m1, 0)']);
});

test('a drill is slow above 100 % of the restore target, until a faster one', () => {
  expect(alarmOf('drillSlow', 'billing')).toMatchObject({
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

test('a window that CloudWatch would refuse is refused by name', () => {
  expect(() => assertJobWindow({ name: 'drillSlow', periodSeconds: 3600, evaluationPeriods: 169 })).toThrow(
    'alarm drillSlow: periods must be an hour or more and together at most 604800 s, got 169 × 3600',
  );
});

describe('failures that AWS reports', () => {
  const rules = Object.values(resourcesOf(monitoring, 'AWS::Events::Rule')).map(({ Properties }) => Properties);

  test('of backup, copy and restore jobs, instances, exports and recoveries go to the critical topic, by a role', () => {
    expect(rules).toHaveLength(6);
    for (const { Targets } of rules) {
      expect(Targets).toEqual([
        expect.objectContaining({ Arn: { Ref: topicLike('Critical') }, RoleArn: expect.anything() }),
      ]);
    }
  });

  test('include jobs that never started, and leave out those that went well', () => {
    const patterns = rules.map(({ EventPattern }) => JSON.stringify(EventPattern));
    expect(patterns.find((pattern) => pattern.includes('Backup Job State Change'))).toContain('EXPIRED');
    expect(patterns.join()).not.toMatch(/COMPLETED|SUCCEEDED|RDS-EVENT-0042/);
  });

  test('of a recovery name the workflows of the environment', () => {
    const recovery = JSON.stringify(
      rules.find(({ EventPattern }) => JSON.stringify(EventPattern).includes('aws.states')),
    );
    for (const database of DATABASE_NAMES) expect(recovery).toContain(`BillingOps-production-recover-${database}`);
  });
});
