import { templatesOf, resourceLike } from '../support';
import { alarmOf, alarmsOfTemplate, topicOf } from './alarm-support';
import { isRaised } from './evaluate-alarm';

const failed = alarmOf('production', 'canaryFailed');
const { operations } = templatesOf('production');

test('three events of the canary that did not arrive, or were not sent, raise a critical alarm; one alone does not', () => {
  const arrived = { m0: 1 };
  expect(isRaised(failed, [arrived, arrived, {}, {}, {}])).toBe(true);
  expect(isRaised(failed, [arrived, {}, arrived])).toBe(false);
  expect(isRaised(failed, [{}, {}, arrived])).toBe(false);
});

test('two events of an hour that did not arrive raise a warning, of one plain metric; one alone does not', () => {
  const lost = alarmOf('production', 'canaryLost');
  const arrived = Array.from({ length: 5 }, () => undefined);
  expect(isRaised(lost, [1, ...arrived, 1, ...arrived])).toBe(true);
  expect(isRaised(lost, [1, ...arrived, ...arrived, undefined])).toBe(false);
  expect(lost).toMatchObject({ MetricName: 'CanaryLost', AlarmActions: [topicOf('production', 'warning')] });
});

test('a canary that has no signing secret yet raises no alarm', () => {
  expect(isRaised(failed, [{}, ...Array.from({ length: 5 }, () => ({ m1: 1 }))])).toBe(false);
});

test('where the canary is switched off, there is no alarm on it', () => {
  expect(Object.keys(alarmsOfTemplate('rehearsal')).filter((id) => /canary/i.test(id))).toEqual([]);
});

test('the canary may read the signing secret and ask the reading function, and has no way to a database', () => {
  const { Roles: _, PolicyDocument } = resourceLike(operations, 'AWS::IAM::Policy', 'CanaryRole').Properties as {
    Roles: unknown;
    PolicyDocument: { Statement: { Action: string | string[]; Resource: unknown }[] };
  };
  const actions = PolicyDocument.Statement.flatMap(({ Action }) => Action);
  expect(actions.filter((action) => /^(secretsmanager|lambda|rds|rds-db|kms):/.test(action)).toSorted()).toEqual([
    'kms:Decrypt',
    'lambda:InvokeFunction',
    'secretsmanager:DescribeSecret',
    'secretsmanager:GetSecretValue',
  ]);
  const invoked = PolicyDocument.Statement.find(({ Action }) => Action === 'lambda:InvokeFunction')?.Resource;
  expect(invoked).toEqual({ 'Fn::GetAtt': [expect.stringMatching(/^Inspect/), 'Arn'] });
});
