import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, TreatMissingData, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { COLLECTOR_METRICS } from '../../lambdas/collector/contract';
import { PROCESSOR_METRICS } from '../../lambdas/processor/contract';
import { DATABASE_NAMES, METRIC_NAMESPACE, type DatabaseName } from '../../lambdas/shared/contract';
import { WEBHOOK_METRICS } from '../../lambdas/webhook/contract';
import { THRESHOLDS, type ThresholdName } from '../config/thresholds';

/** A value that a pair of alarms looks at. */
export interface WatchedMetric {
  readonly metric: IMetric;
  readonly treatMissingData: TreatMissingData;
}

export interface WatchedMetricsOptions {
  readonly environmentName: string;
  /** RDS identifier of each database; `undefined` where it is not on RDS. */
  readonly instanceIdentifiers: Readonly<Record<DatabaseName, string | undefined>>;
}

/** The value behind each threshold of the table. */
export function watchedMetrics(options: WatchedMetricsOptions): Readonly<Record<ThresholdName, WatchedMetric>> {
  const metricOf = (threshold: ThresholdName) => ({
    of: (service: string, metricName: string, statistic: string, database?: DatabaseName) =>
      new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { environment: options.environmentName, service, ...(database ? { database } : {}) },
        statistic,
        period: Duration.seconds(THRESHOLDS[threshold].periodSeconds),
      }),
  });
  return {
    webhookFailures: webhookFailures(metricOf('webhookFailures').of),
    queryLatency: queryLatency(metricOf('queryLatency').of),
    databaseSize: databaseSize(metricOf('databaseSize').of, options.instanceIdentifiers),
    failedSubscriptions: {
      metric: metricOf('failedSubscriptions').of('collector', COLLECTOR_METRICS.failedSubscriptionsPercent, 'Maximum'),
      // Without a new value, the last verdict stands: a collector that stopped must not close an alarm.
      treatMissingData: TreatMissingData.IGNORE,
    },
  };
}

type MetricFactory = (service: string, metricName: string, statistic: string, database?: DatabaseName) => Metric;

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

function databaseSize(
  metric: MetricFactory,
  instanceIdentifiers: WatchedMetricsOptions['instanceIdentifiers'],
): WatchedMetric {
  const { periodSeconds, title } = THRESHOLDS.databaseSize;
  const period = Duration.seconds(periodSeconds);
  const share = (database: DatabaseName): MathExpression => {
    const disk = metric('collector', COLLECTOR_METRICS.allocatedStorageBytes, 'Maximum', database);
    const instanceIdentifier = instanceIdentifiers[database];
    const label = `${title}: ${database}`;
    if (instanceIdentifier === undefined) {
      const used = metric('collector', COLLECTOR_METRICS.databaseSizeBytes, 'Maximum', database);
      return new MathExpression({
        expression: `100 * ${database}Used / ${database}Disk`,
        usingMetrics: { [`${database}Used`]: used, [`${database}Disk`]: disk },
        label,
        period,
      });
    }
    const free = new Metric({
      namespace: 'AWS/RDS',
      metricName: 'FreeStorageSpace',
      dimensionsMap: { DBInstanceIdentifier: instanceIdentifier },
      statistic: 'Minimum',
      period,
    });
    return new MathExpression({
      // From what is left, because logs and write-ahead segments fill the disk just as well as tables do.
      expression: `100 * (${database}Disk - ${database}Free) / ${database}Disk`,
      usingMetrics: { [`${database}Disk`]: disk, [`${database}Free`]: free },
      label,
      period,
    });
  };
  return {
    metric: new MathExpression({
      expression: `MAX([${DATABASE_NAMES.join(', ')}])`,
      usingMetrics: { billing: share('billing'), main: share('main') },
      label: title,
      period,
    }),
    // Without a new value, the last verdict stands: a disk does not empty because the collector stopped.
    treatMissingData: TreatMissingData.IGNORE,
  };
}
