import { readFileSync } from 'node:fs';
import path from 'node:path';
import { resourceLike, resourcesOf, templatesOf } from '../support';
import { alarmOf, topicOf } from './alarm-support';

const { monitoring } = templatesOf('production');
const rules = Object.entries(resourcesOf(monitoring, 'AWS::Events::Rule')).flatMap(([id, { Properties }]) =>
  id.startsWith('FailureEvents') ? [Properties] : [],
);

const undelivered = Object.keys(resourcesOf(monitoring, 'AWS::SQS::Queue'))[0];
const target = (severity: string) => ({
  Id: expect.any(String) as string,
  Arn: topicOf('production', severity),
  Input: expect.any(String) as string,
  DeadLetterConfig: { Arn: { 'Fn::GetAtt': [undelivered, 'Arn'] } },
});

test('failed jobs, instances, exports and rotations, and endangered keys, go to the critical topic', () => {
  expect(rules).toHaveLength(8);
  const [test, ...others] = rules.toSorted((one, other) =>
    (one.Targets as []).length < (other.Targets as []).length ? 1 : -1,
  );
  for (const { Targets } of others) expect(Targets).toEqual([target('critical')]);
  expect(test?.Targets).toEqual([target('warning'), target('critical')]);
});

test('EventBridge publishes by the policies of the topics and their key, and by no role, as its guide asks', () => {
  const all = Object.values(resourcesOf(monitoring, 'AWS::Events::Rule'));
  expect(JSON.stringify(all)).not.toContain('RoleArn');
  const statements = (type: string, property: string) =>
    Object.values(resourcesOf(monitoring, type)).map(
      ({ Properties }) => (Properties[property] as { Statement: unknown[] }).Statement,
    );
  const events = { Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' } };
  const publishing = expect.arrayContaining([
    expect.objectContaining({ ...events, Action: 'sns:Publish', Resource: { Ref: expect.any(String) as string } }),
  ]) as unknown;
  expect(statements('AWS::SNS::TopicPolicy', 'PolicyDocument')).toEqual([publishing, publishing]);
  expect(statements('AWS::KMS::Key', 'KeyPolicy')).toEqual([
    expect.arrayContaining([expect.objectContaining({ ...events, Action: ['kms:Decrypt', 'kms:GenerateDataKey*'] })]),
  ]);
});

test('an event that reaches no topic is kept, and raises an alarm that EventBridge has no part in', () => {
  expect(alarmOf('production', 'eventsUndelivered')).toMatchObject({
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [undelivered, 'QueueName'] } }],
    Threshold: 0,
    TreatMissingData: 'ignore',
    AlarmActions: [topicOf('production', 'critical')],
  });
});

test('a key that is disabled or is to be deleted is matched as CloudTrail reports it, and a refused attempt is not', () => {
  expect(resourceLike(monitoring, 'AWS::Events::Rule', 'KeyEndangered').Properties.EventPattern).toEqual({
    source: ['aws.kms'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: {
      eventSource: ['kms.amazonaws.com'],
      eventName: ['ScheduleKeyDeletion', 'DisableKey', 'DeleteImportedKeyMaterial'],
      errorCode: [{ exists: false }],
    },
  });
});

test('the event of the deployment guide is matched by a rule, and goes to both topics', () => {
  const guide = readFileSync(path.join(__dirname, '../../../docs/deploy.md'), 'utf8');
  const [entry = ''] = /\[\{"Source".*?\}\]/.exec(guide) ?? [];
  const [{ Source, DetailType }] = JSON.parse(entry) as [{ Source: string; DetailType: string }];
  const { EventPattern, Targets } = resourceLike(monitoring, 'AWS::Events::Rule', 'FailureEventsTest').Properties;
  expect(EventPattern).toEqual({ source: [Source], 'detail-type': [DetailType] });
  expect(Targets).toHaveLength(2);
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
