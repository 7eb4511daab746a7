import { DATABASE_NAMES } from '../../../core/contract';
import { resourceLike, resourcesOf, templatesOf } from '../support';
import { topicOf } from './alarm-support';

const { monitoring } = templatesOf('production');
const rules = Object.values(resourcesOf(monitoring, 'AWS::Events::Rule')).map(({ Properties }) => Properties);

test('failed backup, copy and restore jobs, instances, exports, rotations and recoveries go to the critical topic, by a role', () => {
  expect(rules).toHaveLength(7);
  for (const { Targets } of rules) {
    expect(Targets).toEqual([
      expect.objectContaining({ Arn: topicOf('production', 'critical'), RoleArn: expect.anything() }),
    ]);
  }
});

test('jobs that never started are reported, and successful ones are not', () => {
  const patterns = rules.map(({ EventPattern }) => JSON.stringify(EventPattern));
  expect(patterns.find((pattern) => pattern.includes('Backup Job State Change'))).toContain('EXPIRED');
  expect(patterns.join()).not.toMatch(/COMPLETED|SUCCEEDED|RotationSucceeded|RDS-EVENT-0042/);
});

test('a failed rotation is matched as Secrets Manager sends it', () => {
  expect(resourceLike(monitoring, 'AWS::Events::Rule', 'RotationFailed').Properties.EventPattern).toEqual({
    source: ['aws.secretsmanager'],
    'detail-type': ['AWS Service Event via CloudTrail'],
    detail: { eventSource: ['secretsmanager.amazonaws.com'], eventName: ['RotationFailed'] },
  });
});

test('a failed recovery is matched for the workflows of the environment', () => {
  const recovery = JSON.stringify(
    rules.find(({ EventPattern }) => JSON.stringify(EventPattern).includes('aws.states')),
  );
  for (const database of DATABASE_NAMES) expect(recovery).toContain(`BillingOps-production-recover-${database}`);
});
