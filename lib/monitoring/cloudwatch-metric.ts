import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, type IMetric, type MetricProps } from 'aws-cdk-lib/aws-cloudwatch';
import { ACCOUNT_RULE, REPLICATION_RULE } from '../../core/archive/contract';
import { failureQueueName, functionName, METRIC_NAMESPACE, type DatabaseName } from '../../core/contract';
import type { Severity } from '../config/alarms/alarm-definition';
import type { Owner } from '../config/alarms/owners';
import type { AlarmMetric, TopicMetric, WatchedQueue } from '../config/alarms/alarm-metric';
import { databaseLogNamespace } from '../config/database-log-metrics';
import { analyticsReplicaOf } from '../data/analytics-replica';
import { apiName } from '../operations/http-api';
import { webAclName } from '../config/firewall-rules';

/** The names under which an environment publishes its metrics. */
export interface MetricNames {
  /** Name of the environment, which function, API and stage names contain. */
  readonly environmentName: string;
  /** Region of the environment. */
  readonly region: string;
  /** RDS identifier of each database; `undefined` where it does not run on RDS. */
  readonly instanceIdentifiers: Readonly<Record<DatabaseName, string | undefined>>;
  /** Name of the queue between webhook and processor. */
  readonly eventQueueName: string;
  /** Name of the queue that events which failed every attempt are moved to. */
  readonly parkedQueueName: string;
  /** Name of the queue of events that could not be delivered to a topic. */
  readonly undeliveredQueueName: string;
  /** Bucket of the archives, and the buckets of their copies, where there are some. */
  readonly copies: { readonly source: string; readonly secondRegion?: string; readonly backupAccount?: string };
  /** Names of the topics of each severity. */
  readonly topicNames: Readonly<Record<Severity, string>>;
  /** Names of the topics of each group that has its own. */
  readonly routedTopicNames: Readonly<Partial<Record<Owner, Readonly<Record<Severity, string>>>>>;
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
  const statistic = 'statistic' in metric ? metric.statistic : metric.from === 'queue' ? 'Maximum' : 'Sum';
  return {
    namespace:
      metric.from === 'databaseLog'
        ? databaseLogNamespace(names.environmentName, metric.database)
        : NAMESPACES[metric.from],
    metricName: metric.name,
    dimensionsMap: dimensionsOf(metric, names),
    statistic,
  };
}

const NAMESPACES: Readonly<Record<Exclude<AlarmMetric['from'], 'math' | 'databaseLog'>, string>> = {
  api: 'AWS/ApiGateway',
  firewall: 'AWS/WAFV2',
  function: METRIC_NAMESPACE,
  instance: 'AWS/RDS',
  lambda: 'AWS/Lambda',
  queue: 'AWS/SQS',
  replication: 'AWS/S3',
  topic: 'AWS/SNS',
};

function dimensionsOf(metric: Exclude<AlarmMetric, { from: 'math' }>, names: MetricNames): Record<string, string> {
  const { environmentName } = names;
  switch (metric.from) {
    case 'function':
      return { environment: environmentName, service: metric.stem, ...metric.dimensions };
    case 'lambda':
      return { FunctionName: functionName(environmentName, metric.stem) };
    case 'queue':
      return { QueueName: queueName(metric.queue, names) };
    case 'api': {
      const stage = { ApiName: apiName(environmentName), Stage: environmentName };
      return metric.path === undefined ? stage : { ...stage, Method: 'POST', Resource: metric.path };
    }
    case 'firewall':
      return { Region: names.region, Rule: metric.rule, WebACL: webAclName(environmentName) };
    case 'replication': {
      const destination = names.copies[metric.to];
      if (destination === undefined) throw new Error(`The environment has no copies of archives in a ${metric.to}`);
      const rule = metric.to === 'secondRegion' ? REPLICATION_RULE : ACCOUNT_RULE;
      return { SourceBucket: names.copies.source, DestinationBucket: destination, RuleId: rule };
    }
    case 'databaseLog':
      return {};
    case 'topic':
      return { TopicName: topicName(metric, names) };
    default: {
      const identifier = instanceIdentifier(metric.database, names);
      return { DBInstanceIdentifier: metric.ofReplica ? analyticsReplicaOf(identifier) : identifier };
    }
  }
}

/** Name of a queue in SQS. */
export function queueName(queue: WatchedQueue, names: MetricNames): string {
  if (queue === 'events') return names.eventQueueName;
  if (queue === 'parked') return names.parkedQueueName;
  if (queue === 'undelivered') return names.undeliveredQueueName;
  return failureQueueName(names.environmentName, queue.failuresOf);
}

function topicName({ topic, owner }: TopicMetric, { topicNames, routedTopicNames }: MetricNames): string {
  if (owner === undefined) return topicNames[topic];
  const names = routedTopicNames[owner];
  if (names === undefined) throw new Error(`The group ${owner} has no topics of its own`);
  return names[topic];
}

function instanceIdentifier(database: DatabaseName, { instanceIdentifiers }: MetricNames): string {
  const identifier = instanceIdentifiers[database];
  if (identifier === undefined) throw new Error(`The ${database} database does not run on RDS and has no such metric`);
  return identifier;
}
