import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  Metric,
  TreatMissingData,
  type IMetric,
  type MetricProps,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE } from '../../core/contract';
import type { AlarmMetric, OperationalAlarm } from '../config/alarms/alarm';
import type { EnvironmentConfig } from '../config/environment-schema';
import { JOB_ALARMS } from '../config/alarms/job-alarms';
import { PIPELINE_ALARMS } from '../config/alarms/pipeline-alarms';
import type { Severity } from '../config/alarms/thresholds';
import { failureQueueName, functionName } from '../operations/operational-function';
import { assertAlarmWindow } from './alarm-window';
import { isComputed } from './is-computed';

const SILENCE = {
  good: TreatMissingData.NOT_BREACHING,
  bad: TreatMissingData.BREACHING,
  unchanged: TreatMissingData.IGNORE,
} as const;

export interface OperationalAlarmsProps {
  readonly config: EnvironmentConfig;
  readonly topics: Readonly<Record<Severity, ITopic>>;
  /** Queue in which events are parked. */
  readonly parkedQueueName: string;
}

/** The alarms on jobs that failed, are slow or did not run, and on what goes wrong on the way of an event. */
export class OperationalAlarms extends Construct {
  constructor(scope: Construct, id: string, props: OperationalAlarmsProps) {
    super(scope, id);
    const { config, topics } = props;
    for (const alarm of alarmsOf(config)) {
      assertAlarmWindow(alarm.name, alarm);
      const metric = watched(alarm, props);
      if (!config.computedAlarms && isComputed(metric)) continue;
      const made = new Alarm(this, alarm.name, {
        alarmName: `BillingOps-${config.name}-${alarm.name}`,
        alarmDescription: describeOperationalAlarm(alarm),
        metric,
        threshold: alarm.threshold,
        comparisonOperator:
          alarm.fires === 'above' ? ComparisonOperator.GREATER_THAN_THRESHOLD : ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: alarm.evaluationPeriods,
        treatMissingData: SILENCE[alarm.silence],
      });
      const action = new SnsAction(topics[alarm.severity]);
      made.addAlarmAction(action);
      made.addOkAction(action);
    }
  }
}

/** The alarms of the tables that an environment has. */
export function alarmsOf(config: EnvironmentConfig): readonly OperationalAlarm[] {
  return [...JOB_ALARMS, ...PIPELINE_ALARMS].filter(({ appliesTo }) => appliesTo?.(config) ?? true);
}

/** Symptom, action and where to read on: all that somebody woken at night gets to see. */
export function describeOperationalAlarm({ symptom, severity, action, runbookAnchor }: OperationalAlarm): string {
  return `${symptom} (${severity}). ${action} Runbook: docs/runbook.md#${runbookAnchor}`;
}

function watched(alarm: OperationalAlarm, props: OperationalAlarmsProps): IMetric {
  const period = Duration.seconds(alarm.periodSeconds);
  const metrics = alarm.metrics.map((metric) => new Metric({ ...source(metric, props), period }));
  const [only] = metrics;
  if (only && metrics.length === 1 && alarm.expression === undefined) return only;
  return new MathExpression({
    // A metric that was never published has no data, which would make the whole sum have none.
    expression: alarm.expression ?? metrics.map((_, index) => `FILL(m${index}, 0)`).join(' + '),
    usingMetrics: Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric])),
    label: alarm.name,
    period,
  });
}

/** Where CloudWatch has a metric. */
function source(metric: AlarmMetric, { config, parkedQueueName }: OperationalAlarmsProps): MetricProps {
  const environment = config.name;
  if (metric.from === 'function') {
    return {
      namespace: METRIC_NAMESPACE,
      metricName: metric.name,
      dimensionsMap: { environment, service: metric.service, ...metric.dimensions },
      statistic: metric.statistic,
    };
  }
  if (metric.from === 'lambda') {
    return {
      namespace: 'AWS/Lambda',
      metricName: metric.name,
      dimensionsMap: { FunctionName: functionName(environment, metric.stem) },
      statistic: 'Sum',
    };
  }
  return {
    namespace: 'AWS/SQS',
    metricName: 'ApproximateNumberOfMessagesVisible',
    dimensionsMap: {
      QueueName:
        metric.of === 'parked events' ? parkedQueueName : failureQueueName(environment, metric.of.failedStartsOf),
    },
    statistic: 'Maximum',
  };
}
