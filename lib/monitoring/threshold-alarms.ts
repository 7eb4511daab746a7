import { Alarm, ComparisonOperator } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { SEVERITIES, THRESHOLDS, type Severity, type Threshold, type ThresholdName } from '../config/alarms/thresholds';
import { assertAlarmWindow } from './alarm-window';
import { isComputed } from './is-computed';
import type { WatchedMetric } from './watched-metrics';

export interface ThresholdAlarmsProps {
  readonly environmentName: string;
  readonly topics: Readonly<Record<Severity, ITopic>>;
  /** What the environment has no value of has no alarm. */
  readonly metrics: Readonly<Record<ThresholdName, WatchedMetric | undefined>>;
  /** Make the alarms on values that are computed from several metrics too. */
  readonly computed: boolean;
}

/** A warning and a critical alarm for each line of the threshold table. */
export class ThresholdAlarms extends Construct {
  constructor(scope: Construct, id: string, props: ThresholdAlarmsProps) {
    super(scope, id);
    for (const name of Object.keys(THRESHOLDS) as ThresholdName[]) {
      const threshold: Threshold = THRESHOLDS[name];
      const watched = props.metrics[name];
      assertAlarmWindow(name, threshold);
      if (!watched || (!props.computed && isComputed(watched.metric))) continue;
      for (const severity of SEVERITIES) {
        const alarm = new Alarm(this, `${name}-${severity}`, {
          alarmName: `BillingOps-${props.environmentName}-${name}-${severity}`,
          alarmDescription: describeAlarm(threshold, severity),
          metric: watched.metric,
          treatMissingData: watched.treatMissingData,
          threshold: threshold[severity],
          comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
          evaluationPeriods: threshold.evaluationPeriods,
          datapointsToAlarm: threshold.datapointsToAlarm,
        });
        const action = new SnsAction(props.topics[severity]);
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
      }
    }
  }
}

/** Symptom, action and where to read on: all that somebody woken at night gets to see. */
export function describeAlarm(threshold: Threshold, severity: Severity): string {
  return [
    `${threshold.title} above ${threshold[severity]} ${threshold.unit} (${severity}).`,
    threshold.action,
    `Runbook: docs/runbook.md#${threshold.runbookAnchor}`,
  ].join(' ');
}
