import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  Metric,
  TreatMissingData,
  type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE } from '../../lambdas/shared/contract';
import { JOB_ALARMS, type JobAlarm } from '../config/job-alarms';
import type { Severity } from '../config/thresholds';
import { isComputed } from './is-computed';

const SILENCE = {
  good: TreatMissingData.NOT_BREACHING,
  bad: TreatMissingData.BREACHING,
  unchanged: TreatMissingData.IGNORE,
} as const;

const WEEK_SECONDS = 7 * 24 * 60 * 60;

export interface JobAlarmsProps {
  readonly environmentName: string;
  readonly topics: Readonly<Record<Severity, ITopic>>;
  /** Make the alarms on values that are computed from several metrics too. */
  readonly computed: boolean;
}

/** The alarms on jobs that failed, are slow or did not run. */
export class JobAlarms extends Construct {
  constructor(scope: Construct, id: string, props: JobAlarmsProps) {
    super(scope, id);
    for (const job of JOB_ALARMS) {
      assertJobWindow(job);
      const metric = metricOf(job, props.environmentName);
      if (!props.computed && isComputed(metric)) continue;
      const alarm = new Alarm(this, `${job.name}-${job.database}`, {
        alarmName: `BillingOps-${props.environmentName}-${job.name}-${job.database}`,
        alarmDescription: `${job.symptom} (${job.severity}). ${job.action} Runbook: docs/runbook.md#${job.runbookAnchor}`,
        metric,
        threshold: job.threshold,
        comparisonOperator:
          job.fires === 'above' ? ComparisonOperator.GREATER_THAN_THRESHOLD : ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: job.evaluationPeriods,
        treatMissingData: SILENCE[job.silence],
      });
      const action = new SnsAction(props.topics[job.severity]);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
  }
}

function metricOf(job: JobAlarm, environment: string): IMetric {
  const period = Duration.seconds(job.periodSeconds);
  const metrics = job.metricNames.map(
    (metricName) =>
      new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { environment, service: job.service, database: job.database },
        statistic: job.statistic,
        period,
      }),
  );
  const [only, ...others] = metrics;
  if (only && others.length === 0) return only;
  const ids = metrics.map((_, index) => `m${index}`);
  return new MathExpression({
    expression: ids.map((id) => `FILL(${id}, 0)`).join(' + '),
    usingMetrics: Object.fromEntries(metrics.map((metric, index) => [`m${index}`, metric])),
    label: job.symptom,
    period,
  });
}

/**
 * CloudWatch looks back a week at most, and that only in periods of an hour or more.
 *
 * @throws Error naming the alarm
 */
export function assertJobWindow(job: Pick<JobAlarm, 'name' | 'periodSeconds' | 'evaluationPeriods'>): void {
  const seconds = job.periodSeconds * job.evaluationPeriods;
  if (job.periodSeconds >= 3600 && seconds <= WEEK_SECONDS) return;
  throw new Error(
    `alarm ${job.name}: periods must be an hour or more and together at most ${WEEK_SECONDS} s, got ${job.evaluationPeriods} × ${job.periodSeconds}`,
  );
}
