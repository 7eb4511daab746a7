import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, type IMetric, type MetricProps } from 'aws-cdk-lib/aws-cloudwatch';
import { failureQueueName, functionName, METRIC_NAMESPACE, type DatabaseName } from '../../core/contract';
import type { Severity } from '../config/alarms/alarm-definition';
import type { AlarmMetric, WatchedQueue } from '../config/alarms/alarm-metric';
import { apiName } from '../operations/http-api';

/** The names under which an environment publishes its metrics. */
export interface MetricNames {
  /** Name of the environment, which function, API and stage names contain. */
  readonly environmentName: string;
  /** RDS identifier of each database; `undefined` where it does not run on RDS. */
  readonly instanceIdentifiers: Readonly<Record<DatabaseName, string | undefined>>;
  /** Name of the queue between webhook and processor. */
  readonly eventQueueName: string;
  /** Name of the queue that events which failed every attempt are moved to. */
  readonly parkedQueueName: string;
  /** Names of the topics of each severity. */
  readonly topicNames: Readonly<Record<Severity, string>>;
}

/**
 * The metric of an alarm as CloudWatch has it.
 *
 * @param periodSeconds seconds that one value summarises, in every part of an expression
 * @throws Error when it is of an instance, and the database does not run on RDS
 */
export function cloudWatchMetric(metric: AlarmMetric, names: MetricNames, periodSeconds: number): IMetric {
  const period = Duration.seconds(periodSeconds);
  if (metric.from !== 'math') return new Metric({ ...sourceOf(metric, names), period });
  const parts = Object.entries(metric.metrics).map(
    ([id, part]) => [id, cloudWatchMetric(part, names, periodSeconds)] as const,
  );
  return new MathExpression({
    expression: metric.expression,
    usingMetrics: Object.fromEntries(parts),
    label: metric.label,
    period,
  });
}

function sourceOf(metric: Exclude<AlarmMetric, { from: 'math' }>, names: MetricNames): MetricProps {
  const { environmentName } = names;
  const metricName = metric.name;
  switch (metric.from) {
    case 'function':
      return {
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { environment: environmentName, service: metric.stem, ...metric.dimensions },
        statistic: metric.statistic,
      };
    case 'lambda': {
      const FunctionName = functionName(environmentName, metric.stem);
      return { namespace: 'AWS/Lambda', metricName, dimensionsMap: { FunctionName }, statistic: 'Sum' };
    }
    case 'queue': {
      const QueueName = queueName(metric.queue, names);
      return { namespace: 'AWS/SQS', metricName, dimensionsMap: { QueueName }, statistic: 'Maximum' };
    }
    case 'api': {
      const dimensionsMap = { ApiName: apiName(environmentName), Stage: environmentName };
      return { namespace: 'AWS/ApiGateway', metricName, dimensionsMap, statistic: metric.statistic };
    }
    case 'topic': {
      const TopicName = names.topicNames[metric.topic];
      return { namespace: 'AWS/SNS', metricName, dimensionsMap: { TopicName }, statistic: 'Sum' };
    }
    default: {
      const DBInstanceIdentifier = instanceIdentifier(metric.database, names);
      return { namespace: 'AWS/RDS', metricName, dimensionsMap: { DBInstanceIdentifier }, statistic: metric.statistic };
    }
  }
}

/** Name of a queue in SQS. */
export function queueName(queue: WatchedQueue, names: MetricNames): string {
  if (queue === 'events') return names.eventQueueName;
  if (queue === 'parked') return names.parkedQueueName;
  return failureQueueName(names.environmentName, queue.failuresOf);
}

function instanceIdentifier(database: DatabaseName, { instanceIdentifiers }: MetricNames): string {
  const identifier = instanceIdentifiers[database];
  if (identifier === undefined) throw new Error(`The ${database} database does not run on RDS and has no such metric`);
  return identifier;
}
