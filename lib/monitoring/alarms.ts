import { Tags } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmBase,
  type ComparisonOperator,
  type IMetric,
  type TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { alarmSuffix, thresholdsOf, type AlarmDefinition, type Severity } from '../config/alarms/alarm-definition';
import { OWNERS, OWNER_TAG, type Owner } from '../config/alarms/owners';
import { pageRules } from '../config/alarms/causes';
import { REGION_TROUBLE } from '../config/alarms/region-trouble';
import { alarmText, type TextContext } from './alarm-text';
import type { AlertTopics } from './alert-topics';
import { assertAlarmWindow } from './alarm-window';
import { cloudWatchMetric } from './cloudwatch-metric';
import { addPages, notify } from './pages';

export interface AlarmsProps {
  /** The alarms of the environment. */
  readonly definitions: readonly AlarmDefinition[];
  /** Create also the alarms on values that are computed from several metrics. */
  readonly computed: boolean;
  /** Topics that the alarms of each group notify, when one starts and when it is over. */
  readonly topics: AlertTopics;
  /** What the texts link to, and the names of the metrics. */
  readonly context: TextContext;
}

/** One alarm for each severity of each definition. Critical ones that follow from others, or come and go, page by composite alarms: see {@link addPages}. */
export class Alarms extends Construct {
  /** The alarms of each group, the milder severity first. */
  readonly created: ReadonlyMap<Owner, readonly AlarmBase[]>;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { context, topics } = props;
    const definitions = props.definitions.filter(({ metric }) => props.computed || metric.from !== 'math');
    // The causes are computed from several metrics.
    const rules = props.computed ? pageRules(definitions) : new Map<string, never>();
    const gravest = new Map<string, Alarm>();
    const created = new Map<Owner, AlarmBase[]>(OWNERS.map((owner) => [owner, []]));
    for (const definition of definitions) {
      assertAlarmWindow(definition.name, definition);
      const metric = cloudWatchMetric(definition.metric, context.names, definition.periodSeconds);
      for (const [severity, threshold] of thresholdsOf(definition)) {
        const suffix = alarmSuffix(definition, severity);
        const name = `BillingOps-${context.names.environmentName}-${suffix}`;
        const alarm = this.alarm(suffix, definition, metric, { name, severity, threshold, context });
        Tags.of(alarm).add(OWNER_TAG, definition.owner);
        gravest.set(definition.name, alarm);
        if (severity !== 'critical' || !rules.has(definition.name))
          notify(alarm, topics.of(definition.owner)[severity]);
        created.get(definition.owner)?.push(alarm);
      }
    }
    this.created = created;
    const region = props.computed ? addPages(this, { definitions, alarms: gravest, topics, context }) : undefined;
    if (region !== undefined) created.get(REGION_TROUBLE.owner)?.push(region);
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
