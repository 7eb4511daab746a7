import type { DatabaseName } from '../../../core/contract';
import type { DatabaseLogMetricName } from '../database-log-metrics';
import type { Owner } from './owners';

/**
 * A queue that alarms look at: the two on the way of an event, the events that reached no topic, or the failed starts of a
 * function.
 */
export type WatchedQueue = 'events' | 'parked' | 'undelivered' | { readonly failuresOf: string };

/** Published by one of our functions, with the dimensions `environment` and `service`. */
export interface FunctionMetric {
  /** Kind of the metric. */
  readonly from: 'function';
  /** Stem of the function. */
  readonly stem: string;
  /** One of the metrics of the function's contract. */
  readonly name: string;
  /** How the values of a period are summarised. */
  readonly statistic: 'Sum' | 'Maximum' | 'SampleCount' | 'p95';
  /** Dimensions besides the environment and the service. @default - none */
  readonly dimensions?: Readonly<Record<string, string>>;
}

/** Counted by Lambda itself, also when the function cannot start. The statistic is the sum. */
export interface LambdaMetric {
  /** Kind of the metric. */
  readonly from: 'lambda';
  /** Stem of the function. */
  readonly stem: string;
  /** Name of the metric in `AWS/Lambda`. */
  readonly name: 'Errors' | 'Throttles';
}

/** Published by SQS. The statistic is the maximum. */
export interface QueueMetric {
  /** Kind of the metric. */
  readonly from: 'queue';
  /** Queue that is measured. */
  readonly queue: WatchedQueue;
  /** Name of the metric in `AWS/SQS`. */
  readonly name: 'ApproximateAgeOfOldestMessage' | 'ApproximateNumberOfMessagesVisible';
}

/** Published by API Gateway. */
export interface ApiMetric {
  /** Kind of the metric. */
  readonly from: 'api';
  /** Name of the metric in `AWS/ApiGateway`. */
  readonly name: 'Count' | 'Latency' | '4XXError' | '5XXError';
  /** Path of the one method that is measured, which takes POST requests. @default - all of the stage */
  readonly path?: string;
  /** How the values of a period are summarised. */
  readonly statistic: 'Sum' | 'SampleCount' | 'Average' | 'p50' | 'p95' | 'p99';
}

/** Counted by the firewall in front of the API. The statistic is the sum. */
export interface FirewallMetric {
  /** Kind of the metric. */
  readonly from: 'firewall';
  /** `metricName` of a rule that counts. */
  readonly rule: string;
  /** Name of the metric in `AWS/WAFV2`. */
  readonly name: 'CountedRequests';
}

/** Published by S3 about the copies of the archives: failures in the region of the archives, latency in that of the copies. */
export type ReplicationMetric = FailedReplicationMetric | ReplicationLatencyMetric;

interface FailedReplicationMetric {
  /** Kind of the metric. */
  readonly from: 'replication';
  /** Where the copies are. */
  readonly to: 'secondRegion' | 'backupAccount';
  /** Name of the metric in `AWS/S3`. The statistic is the sum. */
  readonly name: 'OperationsFailedReplication';
}

/** Of copies in this region only. That of the second region is published there: the collector fetches it. */
interface ReplicationLatencyMetric {
  /** Kind of the metric. */
  readonly from: 'replication';
  /** Where the copies are. */
  readonly to: 'backupAccount';
  /** Name of the metric in `AWS/S3`, in seconds. */
  readonly name: 'ReplicationLatency';
  /** Of the minutes of a period. */
  readonly statistic: 'Maximum';
}

/** Published by SNS, about the topic of one severity. The statistic is the sum. */
export interface TopicMetric {
  /** Kind of the metric. */
  readonly from: 'topic';
  /** Severity of the topic's alerts. */
  readonly topic: 'warning' | 'critical';
  /** Group whose topic it is. @default - the topic of the groups that have none of their own */
  readonly owner?: Owner;
  /** Name of the metric in `AWS/SNS`. */
  readonly name: 'NumberOfNotificationsFailed';
}

/** Published by RDS, about the instance of one database. */
export interface InstanceMetric {
  /** Kind of the metric. */
  readonly from: 'instance';
  /** Database whose instance is measured. */
  readonly database: DatabaseName;
  /** Name of the metric in `AWS/RDS`. */
  readonly name:
    | 'CPUSurplusCreditBalance'
    | 'CPUUtilization'
    | 'DatabaseConnections'
    | 'FreeableMemory'
    | 'FreeStorageSpace'
    | 'MaximumUsedTransactionIDs'
    | 'ReadLatency'
    | 'ReplicaLag'
    | 'WriteLatency';
  /** How the values of a period are summarised. */
  readonly statistic: 'Average' | 'Maximum' | 'Minimum';
  /** Of its analytics replica instead. @default false */
  readonly ofReplica?: boolean;
}

/** Counted in the PostgreSQL log of one database that the stacks make. The statistic is the sum. */
export interface DatabaseLogMetric {
  /** Kind of the metric. */
  readonly from: 'databaseLog';
  /** Database whose log is counted. */
  readonly database: DatabaseName;
  /** What is counted. */
  readonly name: DatabaseLogMetricName;
}

/** Computed from other metrics by an expression of CloudWatch's metric math. */
export interface MetricMath {
  /** Kind of the metric. */
  readonly from: 'math';
  /** Name of the result in graphs. */
  readonly label: string;
  /** Over the keys of `metrics`. */
  readonly expression: string;
  /** Operands of the expression, by their names in it. */
  readonly metrics: Readonly<Record<string, AlarmMetric>>;
}

/** The value that an alarm compares with its threshold. */
export type AlarmMetric =
  | FunctionMetric
  | LambdaMetric
  | QueueMetric
  | ApiMetric
  | FirewallMetric
  | ReplicationMetric
  | TopicMetric
  | InstanceMetric
  | DatabaseLogMetric
  | MetricMath;

type Dimensions = FunctionMetric['dimensions'];

/** A counter of a function, added up over the period. */
export function countOf(stem: string, name: string, dimensions?: Dimensions): FunctionMetric {
  return { from: 'function', stem, name, statistic: 'Sum', dimensions };
}

/** A gauge of a function, at its highest in the period. */
export function highestOf(stem: string, name: string, dimensions?: Dimensions): FunctionMetric {
  return { from: 'function', stem, name, statistic: 'Maximum', dimensions };
}

/**
 * Several counters added up, `m0`, `m1`, … in the expression. A counter that was never published counts as 0: without
 * data, it would leave the whole sum without data.
 */
export function sumOf(label: string, metrics: readonly AlarmMetric[]): MetricMath {
  return {
    from: 'math',
    label,
    expression: metrics.map((_, index) => `FILL(m${index}, 0)`).join(' + '),
    metrics: Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric])),
  };
}
