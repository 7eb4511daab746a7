import { Duration, Tags } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmRule,
  AlarmState,
  CompositeAlarm,
  TreatMissingData,
  type AlarmBase,
  type CfnAlarm,
  type ComparisonOperator,
  type IAlarmRule,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { AlarmDefinition } from '../config/alarms/alarm-definition';
import type { AlarmWindow } from '../config/alarms/alarm-window';
import { pageRules, regionEvidence, type PageRule, type Together } from '../config/alarms/causes';
import { OWNER_TAG, type Owner } from '../config/alarms/owners';
import { traceOf } from '../config/alarms/recurrence';
import { REGION_TROUBLE } from '../config/alarms/region-trouble';
import { acknowledge } from '../policy/acknowledge';
import { assertAlarmWindow } from './alarm-window';
import { eventText, type TextContext } from './alarm-text';
import type { AlertTopics } from './alert-topics';
import { cloudWatchMetric } from './cloudwatch-metric';

export interface PagesProps {
  /** The alarms that exist. */
  readonly definitions: readonly AlarmDefinition[];
  /** The gravest alarm of each definition, by its name. */
  readonly alarms: ReadonlyMap<string, Alarm>;
  /** Topics that the pages of each group notify. */
  readonly topics: AlertTopics;
  /** What the texts link to, and the names of the metrics. */
  readonly context: TextContext;
}

/**
 * The composite alarms that page in place of critical ones which follow from others, or come and go: one cause, one page, and
 * one page for what flaps.
 */
class Pages {
  private readonly environmentName: string;
  /** On trouble of the region; `undefined` where the environment lacks the alarms that show it. */
  readonly region: CompositeAlarm | undefined;
  /** That an alarm was raised within the last hours, by the name of its definition. */
  private readonly traces = new Map<string, IAlarmRule>();

  constructor(
    private readonly scope: Construct,
    private readonly props: PagesProps,
  ) {
    this.environmentName = props.context.names.environmentName;
    const rules = pageRules(props.definitions);
    this.region = this.regionTrouble(regionEvidence(props.definitions));
    for (const definition of props.definitions) {
      const [alarm, rule] = [props.alarms.get(definition.name), rules.get(definition.name)];
      if (alarm === undefined || rule === undefined) continue;
      acknowledge(alarm, {
        nag: ['NIST.800.53.R5-CloudWatchAlarmAction'],
        reason:
          'It pages by the composite alarm of its name, which is silent while a cause is known or it comes and goes',
      });
      const page = this.page(definition, alarm, rule);
      notify(page, props.topics.of(definition.owner).critical);
    }
  }

  /** Pages for an alarm, with its text, unless something suppresses it, or does within the time to wait. */
  private page(definition: AlarmDefinition, alarm: Alarm, rule: PageRule): CompositeAlarm {
    const { name, owner } = definition;
    const raised = AlarmRule.fromAlarm(alarm, AlarmState.ALARM);
    const held = rule.recurrence && this.held(definition, alarm, rule);
    return this.composite(`Page-${name}`, owner, {
      name: `${name}-page`,
      text: (alarm.node.defaultChild as CfnAlarm).alarmDescription ?? '',
      rule: held === undefined ? raised : AlarmRule.anyOf(raised, held.rule),
      suppressor: this.composite(`Silent-${name}`, 'platform', {
        name: `${name}-silent`,
        text: `Notifies nobody: while it is raised, ${name} does not page.\nOwner: platform`,
        rule: AlarmRule.anyOf(
          ...(held?.silent ? [held.silent] : []),
          ...rule.causes.map((cause) => this.allRaised(cause)),
        ),
      }),
      waitSeconds: rule.waitSeconds,
      extensionSeconds: rule.extensionSeconds,
    });
  }

  /**
   * What keeps the page of an alarm raised while it comes and goes, so that no return pages again; and when that alone is no reason
   * to page.
   */
  private held(definition: AlarmDefinition, alarm: Alarm, { recurrence, explainedBy }: PageRule): Held | undefined {
    if (recurrence === undefined) return undefined;
    const { name } = definition;
    const returns = this.silent(definition, recurrence.returns, {
      id: 'Returns',
      suffix: 'returns',
      text: `while it is raised, ${name} breaches often`,
    });
    const isRaised = AlarmRule.fromAlarm(alarm, AlarmState.ALARM);
    if (recurrence.lately === undefined) {
      return { rule: returns, silent: AlarmRule.allOf(returns, AlarmRule.not(isRaised)) };
    }
    const lately = this.silent(definition, recurrence.lately, {
      id: 'Lately',
      suffix: 'lately',
      text: `while it is raised, the return of ${name} is not paged again`,
    });
    // Each return is shorter than the wait for a cause: that it comes and goes pages, unless a cause explains it.
    if (explainedBy !== undefined) {
      return { rule: AlarmRule.allOf(returns, lately, ...explainedBy.map((one) => AlarmRule.not(this.trace(one)))) };
    }
    // What breached once or twice, and was never raised, is no reason to page. What is raised is, for however short a time.
    return { rule: lately, silent: AlarmRule.allOf(lately, AlarmRule.not(returns), AlarmRule.not(isRaised)) };
  }

  private trace(name: string): IAlarmRule {
    const known = this.traces.get(name);
    if (known !== undefined) return known;
    const definition = this.props.definitions.find((one) => one.name === name);
    if (definition === undefined) throw new Error(`no alarm ${name}, which explains others`);
    const trace = this.silent(definition, traceOf(definition), {
      id: 'Recently',
      suffix: 'recently',
      text: `while it is raised, ${name} explains what came and went within the last hours`,
    });
    this.traces.set(name, trace);
    return trace;
  }

  /** A metric alarm on the value of another, which only the pages look at. */
  private silent(
    definition: AlarmDefinition,
    window: AlarmWindow,
    { id, suffix, text }: { readonly id: string; readonly suffix: string; readonly text: string },
  ): IAlarmRule {
    const { name, metric } = definition;
    assertAlarmWindow(`${name}-${suffix}`, window);
    const alarm = new Alarm(this.scope, `${id}-${name}`, {
      alarmName: `BillingOps-${this.environmentName}-${name}-${suffix}`,
      alarmDescription: `Notifies nobody: ${text}.\nOwner: platform`,
      metric: cloudWatchMetric(metric, this.props.context.names, window.periodSeconds),
      threshold: definition.thresholds.critical ?? 0,
      comparisonOperator: definition.comparisonOperator as ComparisonOperator,
      evaluationPeriods: window.evaluationPeriods,
      datapointsToAlarm: window.datapointsToAlarm,
      // What is unknown must not keep it.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    Tags.of(alarm).add(OWNER_TAG, 'platform');
    acknowledge(alarm, {
      nag: ['NIST.800.53.R5-CloudWatchAlarmAction'],
      reason: 'It only decides whether another alarm pages again',
    });
    return AlarmRule.fromAlarm(alarm, AlarmState.ALARM);
  }

  private regionTrouble(evidence: readonly Together[]): CompositeAlarm | undefined {
    if (evidence.length === 0) return undefined;
    const { topics, context } = this.props;
    const { name, owner } = REGION_TROUBLE;
    const alarm = this.composite('RegionTrouble', owner, {
      name,
      text: eventText(REGION_TROUBLE, 'critical', context),
      rule: AlarmRule.anyOf(...evidence.map((together) => this.allRaised(together))),
    });
    notify(alarm, topics.of(owner).critical);
    return alarm;
  }

  private allRaised(together: Together): IAlarmRule {
    return AlarmRule.allOf(
      ...together.map((name) => {
        const alarm = name === REGION_TROUBLE.name ? this.region : this.props.alarms.get(name);
        if (alarm === undefined) throw new Error(`no alarm ${name}, which is a cause`);
        return AlarmRule.fromAlarm(alarm, AlarmState.ALARM);
      }),
    );
  }

  private composite(id: string, owner: Owner, options: CompositeOptions): CompositeAlarm {
    const { name, text, rule, suppressor, waitSeconds = 0, extensionSeconds = 0 } = options;
    const alarm = new CompositeAlarm(this.scope, id, {
      compositeAlarmName: `BillingOps-${this.environmentName}-${name}`,
      alarmDescription: text,
      alarmRule: rule,
      ...(suppressor && {
        actionsSuppressor: suppressor,
        actionsSuppressorWaitPeriod: Duration.seconds(waitSeconds),
        actionsSuppressorExtensionPeriod: Duration.seconds(extensionSeconds),
      }),
    });
    Tags.of(alarm).add(OWNER_TAG, owner);
    return alarm;
  }
}

/**
 * Adds the pages to the construct of the alarms, whose children they stay: with another logical id CloudFormation would create
 * the new alarm beside the old one, of the same name.
 *
 * @returns the alarm on trouble of the region, if there is one
 */
export function addPages(scope: Construct, props: PagesProps): CompositeAlarm | undefined {
  return new Pages(scope, props).region;
}

interface Held {
  /** That it comes and goes. */
  readonly rule: IAlarmRule;
  /** While it is not raised itself, and only this keeps its page. @default - that is a reason to page */
  readonly silent?: IAlarmRule;
}

interface CompositeOptions {
  /** Last part of its name. */
  readonly name: string;
  readonly text: string;
  readonly rule: IAlarmRule;
  /** @default - none */
  readonly suppressor?: CompositeAlarm;
  readonly waitSeconds?: number;
  readonly extensionSeconds?: number;
}

/** Notifies a topic when an alarm starts, and when it is over. */
export function notify(alarm: AlarmBase, topic: ITopic): void {
  const action = new SnsAction(topic);
  alarm.addAlarmAction(action);
  alarm.addOkAction(action);
}
