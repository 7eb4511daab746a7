import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, TreatMissingData, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { COLLECTOR_METRICS } from '../../lambdas/collector/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { THRESHOLDS } from '../config/alarms/thresholds';
import type { InstanceIdentifiers, MetricFactory, WatchedMetric } from './watched-metrics';

/** Share of the disk that is filled, of the database where it is fuller. */
export function databaseSize(metric: MetricFactory, instanceIdentifiers: InstanceIdentifiers): WatchedMetric {
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
    const free = rdsMetric('FreeStorageSpace', 'Minimum', instanceIdentifier, period);
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

/** CPU of the busier instance. `undefined` where no database is on RDS. */
export function databaseCpu(instanceIdentifiers: InstanceIdentifiers): WatchedMetric | undefined {
  const { periodSeconds, title } = THRESHOLDS.databaseCpu;
  const period = Duration.seconds(periodSeconds);
  return highestOnRds(instanceIdentifiers, { title, period }, (_database, identifier) =>
    rdsMetric('CPUUtilization', 'Average', identifier, period),
  );
}

/** Share of the memory that is not free, of the instance that has less. `undefined` where no database is on RDS. */
export function databaseMemory(
  metric: MetricFactory,
  instanceIdentifiers: InstanceIdentifiers,
): WatchedMetric | undefined {
  const { periodSeconds, title } = THRESHOLDS.databaseMemory;
  const period = Duration.seconds(periodSeconds);
  return highestOnRds(
    instanceIdentifiers,
    { title, period },
    (database, identifier) =>
      new MathExpression({
        // RDS tells what is free, the collector what there is.
        expression: `100 * (${database}Memory - ${database}Free) / ${database}Memory`,
        usingMetrics: {
          [`${database}Memory`]: metric('collector', COLLECTOR_METRICS.instanceMemoryBytes, 'Maximum', database),
          [`${database}Free`]: rdsMetric('FreeableMemory', 'Minimum', identifier, period),
        },
        label: `${title}: ${database}`,
        period,
      }),
  );
}

/** Share of the connections that are taken, of the database where it is higher. */
export function databaseConnections(metric: MetricFactory): WatchedMetric {
  const { periodSeconds, title } = THRESHOLDS.databaseConnections;
  return {
    metric: new MathExpression({
      // A database that cannot be asked counts as full: it refuses connections, whatever the reason.
      expression: `MAX([${DATABASE_NAMES.map((database) => `FILL(${database}, 100)`).join(', ')}])`,
      usingMetrics: Object.fromEntries(
        DATABASE_NAMES.map((database) => [
          database,
          metric('collector', COLLECTOR_METRICS.connectionsUsedPercent, 'Maximum', database),
        ]),
      ),
      label: title,
      period: Duration.seconds(periodSeconds),
    }),
    treatMissingData: TreatMissingData.BREACHING,
  };
}

function highestOnRds(
  instanceIdentifiers: InstanceIdentifiers,
  { title, period }: { readonly title: string; readonly period: Duration },
  valueOf: (database: DatabaseName, instanceIdentifier: string) => IMetric,
): WatchedMetric | undefined {
  const values = DATABASE_NAMES.flatMap((database) => {
    const identifier = instanceIdentifiers[database];
    return identifier === undefined ? [] : [[database, valueOf(database, identifier)] as const];
  });
  if (values.length === 0) return undefined;
  return {
    metric: new MathExpression({
      expression: `MAX([${values.map(([database]) => database).join(', ')}])`,
      usingMetrics: Object.fromEntries(values),
      label: title,
      period,
    }),
    // RDS says nothing about an instance that is away, which other alarms tell.
    treatMissingData: TreatMissingData.IGNORE,
  };
}

function rdsMetric(metricName: string, statistic: string, instanceIdentifier: string, period: Duration): Metric {
  return new Metric({
    namespace: 'AWS/RDS',
    metricName,
    dimensionsMap: { DBInstanceIdentifier: instanceIdentifier },
    statistic,
    period,
  });
}
