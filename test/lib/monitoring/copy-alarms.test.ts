import { resourceLike, resourcesOf, templatesOf } from '../support';
import { alarmOf, alarmsOfTemplate } from './alarm-support';
import { isRaised } from './evaluate-alarm';

const { data, operations, recovery } = templatesOf('production');
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('a copy that S3 gave up raises a critical alarm, under the names that the replication has', () => {
  const failed = alarmOf('production', 'archiveCopiesFailed');
  const { ReplicationConfiguration } = resourceLike(data, 'AWS::S3::Bucket', 'ArchivesBucket').Properties as {
    ReplicationConfiguration: { Rules: { Id: string; Destination: { Bucket: unknown; Metrics: unknown } }[] };
  };
  const [rule] = ReplicationConfiguration.Rules;
  expect(rule?.Destination.Metrics).toEqual({ Status: 'Enabled' });
  expect(failed).toMatchObject({ Namespace: 'AWS/S3', MetricName: 'OperationsFailedReplication', Statistic: 'Sum' });
  const dimensions = Object.fromEntries(
    (failed.Dimensions as { Name: string; Value: unknown }[]).map(({ Name, Value }) => [Name, Value]),
  );
  expect(dimensions.RuleId).toBe(rule?.Id);
  expect(JSON.stringify(rule?.Destination.Bucket)).toContain(`:${String(dimensions.DestinationBucket)}"`);
  expect(JSON.stringify(dimensions.SourceBucket)).toContain('RefArchivesBucket');
  expect(isRaised(failed, [1])).toBe(true);
  expect(isRaised(failed, [undefined])).toBe(false);
});

test('copies that are an hour behind, or of which nothing is known, raise an alarm', () => {
  const late = alarmOf('production', 'archiveCopiesLate');
  expect(isRaised(late, times(12, 4000))).toBe(true);
  expect(isRaised(late, times(12, undefined))).toBe(true);
  expect(isRaised(late, [...times(6, 4000), ...times(12, 20)])).toBe(false);
});

test('the collector asks the second region, where S3 publishes the latency', () => {
  const { Variables } = resourceLike(operations, 'AWS::Lambda::Function', 'Collector').Properties.Environment as {
    Variables: Record<string, string>;
  };
  expect(Variables).toMatchObject({
    COPY_REGION: 'eu-west-1',
    COPY_BUCKET: 'billing-ops-production-archives-333333333333-eu-west-1',
  });
});

test('there is no alarm on copies without a second region', () => {
  expect(Object.keys(alarmsOfTemplate('staging')).filter((name) => name.startsWith('archiveCopies'))).toEqual([]);
});

test('what endangers a key of the second region is forwarded to the region with the topics', () => {
  if (!recovery) throw new Error('Production has no second region');
  const { EventPattern, Targets } = resourceLike(recovery, 'AWS::Events::Rule', 'KeyEvents').Properties;
  expect(EventPattern).toEqual(
    resourceLike(templatesOf('production').monitoring, 'AWS::Events::Rule', 'KeyEndangered').Properties.EventPattern,
  );
  expect(Targets).toEqual([
    expect.objectContaining({
      Arn: 'arn:aws:events:eu-central-1:333333333333:event-bus/default',
      RoleArn: expect.anything() as unknown,
    }),
  ]);
  expect(Object.keys(resourcesOf(recovery, 'AWS::SNS::Topic'))).toEqual([]);
});
