import { type CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { REPLICATION_RULE } from '../../core/archive/contract';

/** How far back a value is looked for. S3 publishes every minute, and late. */
const WINDOW_MS = 15 * 60_000;

/** The buckets of a replication. */
export interface ReplicatedBuckets {
  readonly source: string;
  readonly destination: string;
}

/**
 * Seconds by which the copies of the archives are behind, as S3 published it last; `undefined` where it published nothing.
 *
 * @param cloudWatch of the region of the copies: S3 publishes the metric nowhere else, and no alarm reaches across regions
 */
export async function replicationLatencySeconds(
  cloudWatch: CloudWatchClient,
  { source, destination }: ReplicatedBuckets,
  now: Date,
): Promise<number | undefined> {
  const { Datapoints = [] } = await cloudWatch.send(
    new GetMetricStatisticsCommand({
      Namespace: 'AWS/S3',
      MetricName: 'ReplicationLatency',
      Dimensions: [
        { Name: 'SourceBucket', Value: source },
        { Name: 'DestinationBucket', Value: destination },
        { Name: 'RuleId', Value: REPLICATION_RULE },
      ],
      StartTime: new Date(now.getTime() - WINDOW_MS),
      EndTime: now,
      Period: 60,
      Statistics: ['Maximum'],
    }),
  );
  const newest = Datapoints.toSorted(
    (one, other) => (other.Timestamp?.getTime() ?? 0) - (one.Timestamp?.getTime() ?? 0),
  )[0];
  return newest?.Maximum;
}
