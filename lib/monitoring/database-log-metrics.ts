import { FilterPattern, LogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { DatabaseName } from '../../core/contract';
import { databaseLogFilters, databaseLogNamespace } from '../config/database-log-metrics';
import { exportedLogName } from '../../core/database/contract';

export interface DatabaseLogMetricsProps {
  /** Name of the environment, which the namespace of the metrics contains. */
  readonly environmentName: string;
  /** Database whose log is counted. */
  readonly database: DatabaseName;
  /** RDS identifier of its instance, which the stacks made. */
  readonly instanceIdentifier: string;
}

/** Counts slow statements and the unusual in the PostgreSQL log of one database. */
export class DatabaseLogMetrics extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { environmentName, database, instanceIdentifier }: DatabaseLogMetricsProps,
  ) {
    super(scope, id);
    const logGroup = LogGroup.fromLogGroupName(this, 'Log', exportedLogName(instanceIdentifier, 'postgresql'));
    for (const [index, { metric, pattern }] of databaseLogFilters(database).entries()) {
      new MetricFilter(this, `${metric}${index}`, {
        logGroup,
        filterPattern: FilterPattern.literal(pattern),
        metricNamespace: databaseLogNamespace(environmentName, database),
        metricName: metric,
        // Without a default of 0, a metric is charged only for the hours in which something is counted.
        metricValue: '1',
      });
    }
  }
}
