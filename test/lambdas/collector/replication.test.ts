import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { mockClient } from 'aws-sdk-client-mock';
import { replicationLatencySeconds } from '../../../lambdas/collector/replication';

const cloudWatch = mockClient(CloudWatchClient);
beforeEach(() => cloudWatch.reset());
const NOW = new Date('2026-11-21T12:00:00Z');
const latency = () =>
  replicationLatencySeconds(
    new CloudWatchClient({ region: 'eu-west-1' }),
    { source: 'here', destination: 'there' },
    NOW,
  );

test('the latency of the copies is what S3 published last', async () => {
  cloudWatch.on(GetMetricStatisticsCommand).resolves({
    Datapoints: [
      { Timestamp: new Date('2026-11-21T11:50:00Z'), Maximum: 900 },
      { Timestamp: new Date('2026-11-21T11:58:00Z'), Maximum: 12 },
      { Timestamp: new Date('2026-11-21T11:55:00Z'), Maximum: 400 },
    ],
  });
  expect(await latency()).toBe(12);
  expect(cloudWatch.commandCalls(GetMetricStatisticsCommand)[0]?.args[0].input).toEqual({
    Namespace: 'AWS/S3',
    MetricName: 'ReplicationLatency',
    Dimensions: [
      { Name: 'SourceBucket', Value: 'here' },
      { Name: 'DestinationBucket', Value: 'there' },
      { Name: 'RuleId', Value: 'second-region' },
    ],
    StartTime: new Date('2026-11-21T11:45:00Z'),
    EndTime: NOW,
    Period: 60,
    Statistics: ['Maximum'],
  });
});

test('the latency of the copies is unknown when S3 published nothing', async () => {
  cloudWatch.on(GetMetricStatisticsCommand).resolves({ Datapoints: [] });
  expect(await latency()).toBeUndefined();
});
