import { Alarm, type ComparisonOperator, type IMetric, type TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { alarmSuffix, thresholdsOf, type AlarmDefinition, type Severity } from '../config/alarms/alarm-definition';
import { alarmText, type TextContext } from './alarm-text';
import { assertAlarmWindow } from './alarm-window';
import { cloudWatchMetric } from './cloudwatch-metric';

export interface AlarmsProps {
  /** The alarms of the environment. */
  readonly definitions: readonly AlarmDefinition[];
  /** Create also the alarms on values that are computed from several metrics. */
  readonly computed: boolean;
  /** Topic that each severity notifies, when an alarm starts and when it is over. */
  readonly topics: Readonly<Record<Severity, ITopic>>;
  /** What the texts link to, and the names of the metrics. */
  readonly context: TextContext;
}

/** One alarm for each severity of each definition. */
export class Alarms extends Construct {
  /** The alarms, the milder severity first. */
  readonly created: readonly Alarm[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { context, topics } = props;
    const created: Alarm[] = [];
    for (const definition of props.definitions) {
      assertAlarmWindow(definition.name, definition);
      if (definition.metric.from === 'math' && !props.computed) continue;
      const metric = cloudWatchMetric(definition.metric, context.names, definition.periodSeconds);
      for (const [severity, threshold] of thresholdsOf(definition)) {
        const suffix = alarmSuffix(definition, severity);
        const alarm = this.alarm(suffix, definition, metric, {
          name: `BillingOps-${context.names.environmentName}-${suffix}`,
          severity,
          threshold,
          context,
        });
        const action = new SnsAction(topics[severity]);
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
        created.push(alarm);
      }
    }
    this.created = created;
  }

  private alarm(
    id: string,
    definition: AlarmDefinition,
    metric: IMetric,
    { name, severity, threshold, context }: SeverityOptions,
  ): Alarm {
    return new Alarm(this, id, {
      alarmName: name,
      alarmDescription: alarmText(definition, severity, name, context),
      metric,
      threshold,
      // The definitions spell the framework's enumerations, which are CloudWatch's own words.
      comparisonOperator: definition.comparisonOperator as ComparisonOperator,
      evaluationPeriods: definition.evaluationPeriods,
      datapointsToAlarm: definition.datapointsToAlarm,
      treatMissingData: definition.treatMissingData as TreatMissingData,
    });
  }
}

/** What differs between the alarms of one definition. */
interface SeverityOptions {
  readonly name: string;
  readonly severity: Severity;
  readonly threshold: number;
  readonly context: TextContext;
}
