import { resourceLike, resourcesOf, templatesOf } from '../support';
import { topicOf } from './alarm-support';

const { monitoring } = templatesOf('production');
const rules = Object.entries(resourcesOf(monitoring, 'AWS::Events::Rule')).flatMap(([id, { Properties }]) =>
  id.startsWith('FailureEvents') ? [Properties] : [],
);

test('failed backup, copy and restore jobs, instances, exports and rotations go to the critical topic, by a role', () => {
  expect(rules).toHaveLength(6);
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
