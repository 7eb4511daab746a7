import { Duration, Tags } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmRule,
  AlarmState,
  CompositeAlarm,
  type AlarmBase,
  type CfnAlarm,
  type ComparisonOperator,
  type IAlarm,
  type IMetric,
  type TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { alarmSuffix, thresholdsOf, type AlarmDefinition, type Severity } from '../config/alarms/alarm-definition';
import { OWNERS, type Owner } from '../config/alarms/owners';
import { EXTENSION_SECONDS, pageRules } from '../config/alarms/causes';
import { alarmText, type TextContext } from './alarm-text';
import type { AlertTopics } from './alert-topics';
import { assertAlarmWindow } from './alarm-window';
import { cloudWatchMetric } from './cloudwatch-metric';

/** Tag that names the group of an alarm. */
const OWNER_TAG = 'alarm-owner';

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

/**
 * One alarm for each severity of each definition. A critical one that follows from others pages by a composite alarm, which
 * they suppress: one cause, one page.
 */
export class Alarms extends Construct {
  /** The alarms of each group, the milder severity first. */
  readonly created: ReadonlyMap<Owner, readonly Alarm[]>;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { context, topics } = props;
    const definitions = props.definitions.filter(({ metric }) => props.computed || metric.from !== 'math');
    const rules = pageRules(definitions);
    const critical = new Map<string, Alarm>();
    const created = new Map<Owner, Alarm[]>(OWNERS.map((owner) => [owner, []]));
    for (const definition of definitions) {
      assertAlarmWindow(definition.name, definition);
      const metric = cloudWatchMetric(definition.metric, context.names, definition.periodSeconds);
      for (const [severity, threshold] of thresholdsOf(definition)) {
        const suffix = alarmSuffix(definition, severity);
        const name = `BillingOps-${context.names.environmentName}-${suffix}`;
        const alarm = this.alarm(suffix, definition, metric, { name, severity, threshold, context });
        Tags.of(alarm).add(OWNER_TAG, definition.owner);
        if (severity === 'critical') critical.set(definition.name, alarm);
        if (severity !== 'critical' || !rules.has(definition.name))
          notify(alarm, topics.of(definition.owner)[severity]);
        created.get(definition.owner)?.push(alarm);
      }
    }
    this.created = created;
    for (const { name, owner } of definitions) {
      const [alarm, rule] = [critical.get(name), rules.get(name)];
      if (alarm === undefined || rule === undefined) continue;
      acknowledge(alarm, {
        nag: ['NIST.800.53.R5-CloudWatchAlarmAction'],
        reason: 'It pages by the composite alarm of its name, which is silent while a cause is known',
      });
      const causes = rule.causes.flatMap((cause) => critical.get(cause.name) ?? []);
      const page = this.page(name, alarm, causes, rule.waitSeconds, context);
      Tags.of(page).add(OWNER_TAG, owner);
      notify(page, topics.of(owner).critical);
    }
  }

  /** Pages for an alarm, with its text, unless one of its causes is raised already, or is within the time to wait. */
  private page(
    follower: string,
    alarm: Alarm,
    causes: readonly Alarm[],
    waitSeconds: number,
    { names }: TextContext,
  ): CompositeAlarm {
    return new CompositeAlarm(this, `Page-${follower}`, {
      compositeAlarmName: `BillingOps-${names.environmentName}-${follower}-page`,
      alarmDescription: (alarm.node.defaultChild as CfnAlarm).alarmDescription,
      alarmRule: AlarmRule.fromAlarm(alarm, AlarmState.ALARM),
      actionsSuppressor: this.causeOf(causes, names.environmentName),
      actionsSuppressorWaitPeriod: Duration.seconds(waitSeconds),
      actionsSuppressorExtensionPeriod: Duration.seconds(EXTENSION_SECONDS),
    });
  }

  /** The one alarm that stands for several causes; a suppressor is a single alarm. */
  private causeOf(causes: readonly Alarm[], environmentName: string): IAlarm {
    const [only, ...others] = causes;
    if (only !== undefined && others.length === 0) return only;
    const id = `AnyOf-${causes.map(({ node }) => node.id.replace('-critical', '')).join('-')}`;
    const existing = this.node.tryFindChild(id) as CompositeAlarm | undefined;
    if (existing !== undefined) return existing;
    const owner: Owner = 'platform';
    const cause = new CompositeAlarm(this, id, {
      compositeAlarmName: `BillingOps-${environmentName}-${id}`,
      alarmDescription: `Notifies nobody: while it is raised, alarms that follow from it do not page.\nOwner: ${owner}`,
      alarmRule: AlarmRule.anyOf(...causes.map((one) => AlarmRule.fromAlarm(one, AlarmState.ALARM))),
    });
    Tags.of(cause).add(OWNER_TAG, owner);
    return cause;
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

/** When it starts, and when it is over. */
function notify(alarm: AlarmBase, topic: ITopic): void {
  const action = new SnsAction(topic);
  alarm.addAlarmAction(action);
  alarm.addOkAction(action);
}
