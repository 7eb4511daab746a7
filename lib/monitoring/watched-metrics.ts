import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, TreatMissingData, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { COLLECTOR_METRICS } from '../../lambdas/collector/contract';
import { PROCESSOR_METRICS } from '../../lambdas/processor/contract';
import { METRIC_NAMESPACE, type DatabaseName } from '../../core/contract';
import { WEBHOOK_METRICS } from '../../lambdas/webhook/contract';
import { THRESHOLDS, type ThresholdName } from '../config/alarms/thresholds';
import { apiName } from '../operations/http-api';
import { databaseConnections, databaseCpu, databaseMemory, databaseSize } from './database-metrics';

/** A value that a pair of alarms looks at. */
export interface WatchedMetric {
  readonly metric: IMetric;
  readonly treatMissingData: TreatMissingData;
}

export interface WatchedMetricsOptions {
  readonly environmentName: string;
  readonly instanceIdentifiers: InstanceIdentifiers;
  /** Queue between webhook and processor. */
  readonly eventQueueName: string;
}

/** RDS identifier of each database; `undefined` where it is not on RDS. */
export type InstanceIdentifiers = Readonly<Record<DatabaseName, string | undefined>>;

/** The value behind each threshold of the table; `undefined` where the environment has none. */
export function watchedMetrics(
  options: WatchedMetricsOptions,
): Readonly<Record<ThresholdName, WatchedMetric | undefined>> {
  const { environmentName, eventQueueName, instanceIdentifiers } = options;
  const metricOf = (threshold: ThresholdName) => ({
    of: (service: string, metricName: string, statistic: string, database?: DatabaseName) =>
      new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { environment: environmentName, service, ...(database ? { database } : {}) },
        statistic,
        period: Duration.seconds(THRESHOLDS[threshold].periodSeconds),
      }),
  });
  return {
    webhookFailures: webhookFailures(metricOf('webhookFailures').of),
    queryLatency: queryLatency(metricOf('queryLatency').of),
    databaseSize: databaseSize(metricOf('databaseSize').of, instanceIdentifiers),
    failedSubscriptions: {
      metric: metricOf('failedSubscriptions').of('collector', COLLECTOR_METRICS.failedSubscriptionsPercent, 'Maximum'),
      // Without a new value, the last verdict stands: a collector that stopped must not close an alarm.
      treatMissingData: TreatMissingData.IGNORE,
    },
    webhookDelivery: webhookDelivery(apiMetrics(environmentName, 'webhookDelivery')),
    webhookAnswer: answerTime(apiMetrics(environmentName, 'webhookAnswer'), 'webhookAnswer', 'Average'),
    responseTime: answerTime(apiMetrics(environmentName, 'responseTime'), 'responseTime', 'p95'),
    eventQueueAge: {
      metric: new Metric({
        namespace: 'AWS/SQS',
        metricName: 'ApproximateAgeOfOldestMessage',
        dimensionsMap: { QueueName: eventQueueName },
        statistic: 'Maximum',
        period: Duration.seconds(THRESHOLDS.eventQueueAge.periodSeconds),
      }),
      // A queue that SQS says nothing about is empty.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    },
    databaseCpu: databaseCpu(instanceIdentifiers),
    databaseMemory: databaseMemory(metricOf('databaseMemory').of, instanceIdentifiers),
    databaseConnections: databaseConnections(metricOf('databaseConnections').of),
  };
}

/** Metrics of our own functions, in the period of a threshold. */
export type MetricFactory = (service: string, metricName: string, statistic: string, database?: DatabaseName) => Metric;

function webhookFailures(metric: MetricFactory): WatchedMetric {
  const { minimumVolume, periodSeconds, title } = THRESHOLDS.webhookFailures;
  return {
    metric: new MathExpression({
      // A failure metric that has never been emitted has no data, which would make the whole sum have none.
      expression: `IF(received >= ${minimumVolume}, 100 * (FILL(rejected, 0) + FILL(failed, 0) + FILL(unprocessed, 0)) / received, 0)`,
      usingMetrics: {
        received: metric('webhook', WEBHOOK_METRICS.received, 'Sum'),
        rejected: metric('webhook', WEBHOOK_METRICS.rejected, 'Sum'),
        failed: metric('webhook', WEBHOOK_METRICS.failed, 'Sum'),
        unprocessed: metric('processor', PROCESSOR_METRICS.failed, 'Sum'),
      },
      label: title,
      period: Duration.seconds(periodSeconds),
    }),
    // No deliveries, no failures. That deliveries stop altogether is for reconciliation to see.
    treatMissingData: TreatMissingData.NOT_BREACHING,
  };
}

function queryLatency(metric: MetricFactory): WatchedMetric {
  const { minimumVolume, periodSeconds, title } = THRESHOLDS.queryLatency;
  return {
    metric: new MathExpression({
      // The 95th percentile of a handful of statements is just the slowest one.
      expression: `IF(statements >= ${minimumVolume}, p95, 0)`,
      usingMetrics: {
        statements: metric('processor', PROCESSOR_METRICS.queryDuration, 'SampleCount'),
        p95: metric('processor', PROCESSOR_METRICS.queryDuration, 'p95'),
      },
      label: title,
      period: Duration.seconds(periodSeconds),
    }),
    // No queries, no slow ones.
    treatMissingData: TreatMissingData.NOT_BREACHING,
  };
}

/** Metrics of API Gateway, in the period of a threshold. */
function apiMetrics(environmentName: string, threshold: ThresholdName) {
  return (metricName: string, statistic: string) =>
    new Metric({
      namespace: 'AWS/ApiGateway',
      metricName,
      dimensionsMap: { ApiName: apiName(environmentName), Stage: environmentName },
      statistic,
      period: Duration.seconds(THRESHOLDS[threshold].periodSeconds),
    });
}

type ApiMetricFactory = ReturnType<typeof apiMetrics>;

function webhookDelivery(metric: ApiMetricFactory): WatchedMetric {
  const { minimumVolume, periodSeconds, title } = THRESHOLDS.webhookDelivery;
  return {
    metric: new MathExpression({
      // As API Gateway saw it, which also sees a function that crashed or ran out of time. Without what was refused:
      // anybody can send that, and its share is watched by itself.
      expression: `IF(requests - FILL(refused, 0) >= ${minimumVolume}, 100 * FILL(failed, 0) / (requests - FILL(refused, 0)), 0)`,
      usingMetrics: {
        requests: metric('Count', 'SampleCount'),
        refused: metric('4XXError', 'Sum'),
        failed: metric('5XXError', 'Sum'),
      },
      label: title,
      period: Duration.seconds(periodSeconds),
    }),
    treatMissingData: TreatMissingData.NOT_BREACHING,
  };
}

/** How long the API takes to answer, counted from enough answers. */
function answerTime(
  metric: ApiMetricFactory,
  threshold: 'webhookAnswer' | 'responseTime',
  statistic: string,
): WatchedMetric {
  const { minimumVolume, periodSeconds, title } = THRESHOLDS[threshold];
  return {
    metric: new MathExpression({
      expression: `IF(requests >= ${minimumVolume}, latency, 0)`,
      usingMetrics: { requests: metric('Latency', 'SampleCount'), latency: metric('Latency', statistic) },
      label: title,
      period: Duration.seconds(periodSeconds),
    }),
    treatMissingData: TreatMissingData.NOT_BREACHING,
  };
}
