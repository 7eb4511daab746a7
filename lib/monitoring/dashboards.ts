import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Color,
  Dashboard,
  GraphWidget,
  MathExpression,
  SingleValueWidget,
  TextWidget,
  type HorizontalAnnotation,
  type IAlarm,
  type IMetric,
  type IWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { dashboardName, METRIC_NAMESPACE } from '../../core/contract';
import { thresholdsOf } from '../config/alarms/alarm-definition';
import type { Owner } from '../config/alarms/owners';
import type { AlarmMetric } from '../config/alarms/alarm-metric';
import type { FunctionLines, Line, SearchedLines, Section, Widget } from '../config/dashboard/widget';
import type { TextContext } from './alarm-text';
import { cloudWatchMetric } from './cloudwatch-metric';
import { consoleDomain } from './console-url';

/** Columns of a dashboard. */
const COLUMNS = 24;
const WIDGET_HEIGHT = 6;
const DEFAULT_WIDTH = 6;
const DEFAULT_PERIOD_SECONDS = 300;
/** How many alarms CloudWatch takes in one widget. */
const ALARMS_OF_WIDGET = 100;
const STATES_HEIGHT = 5;
const COLORS = { warning: Color.ORANGE, critical: Color.RED } as const;

export interface DashboardsProps {
  /** What the dashboard shows. */
  readonly sections: readonly Section[];
  /** What the short one for a phone shows. */
  readonly nightSections: readonly Section[];
  /** Every alarm of the environment, by the group that owns it. */
  readonly alarms: ReadonlyMap<Owner, readonly IAlarm[]>;
  /** What is linked to, and the names of the metrics. */
  readonly context: TextContext;
}

/** A dashboard that somebody can read who has never seen it, and a short one for a phone at night. */
export class Dashboards extends Construct {
  constructor(scope: Construct, id: string, props: DashboardsProps) {
    super(scope, id);
    const { context } = props;
    const { environmentName } = context.names;
    const overview = dashboardName(environmentName, 'overview');
    const night = dashboardName(environmentName, 'night');
    new Dashboard(this, 'Overview', {
      dashboardName: overview,
      defaultInterval: Duration.days(1),
      widgets: [[heading(context, night)], ...rows(props.sections, context), ...statesOf(props.alarms)],
    });
    new Dashboard(this, 'Night', {
      dashboardName: night,
      defaultInterval: Duration.hours(3),
      widgets: [...statesOf(props.alarms), ...rows(props.nightSections, context), [heading(context, overview)]],
    });
  }
}

/** A widget for the alarms of each group, or several where one would not take them all. */
export function statesOf(alarms: DashboardsProps['alarms']): IWidget[][] {
  return [...alarms].flatMap(([owner, owned]) => {
    const widgets = Math.ceil(owned.length / ALARMS_OF_WIDGET);
    return Array.from({ length: widgets }, (_, index) => [
      new AlarmStatusWidget({
        title: `Alarms of ${owner}${index === 0 ? '' : ` (${index + 1})`}`,
        alarms: owned.slice(index * ALARMS_OF_WIDGET, (index + 1) * ALARMS_OF_WIDGET),
        width: COLUMNS,
        height: STATES_HEIGHT,
      }),
    ]);
  });
}

function heading({ runbookUrl, names, region }: TextContext, other: string): IWidget {
  const { environmentName } = names;
  const markdown = [
    `## Billing of ${environmentName}`,
    `Lines in orange and red are the thresholds of the alarms. [Runbook](${runbookUrl}) ·`,
    `[the other dashboard](https://${region}.${consoleDomain(region)}/cloudwatch/home?region=${region}#dashboards:name=${other}) ·`,
    `\`ops status --env ${environmentName}\` · \`ops doctor --env ${environmentName}\``,
  ].join('\n');
  return new TextWidget({ markdown, width: COLUMNS, height: 2 });
}

function rows(sections: readonly Section[], context: TextContext): IWidget[][] {
  return sections.flatMap(({ title, hint, widgets }) => [
    [new TextWidget({ markdown: `### ${title}\n${hint}`, width: COLUMNS, height: 2 })],
    widgets.map((widget) => widgetOf(widget, context)),
  ]);
}

function widgetOf(widget: Widget, context: TextContext): IWidget {
  const { title, unit, shows = 'graph', width = DEFAULT_WIDTH, periodSeconds = DEFAULT_PERIOD_SECONDS } = widget;
  const metrics = widget.lines.map((line, index) => metricOf(line, `l${index}`, periodSeconds, context));
  const common = { title, width, height: WIDGET_HEIGHT, region: context.region };
  if (shows === 'numbers')
    return new SingleValueWidget({ ...common, metrics, period: Duration.seconds(periodSeconds) });
  return new GraphWidget({
    ...common,
    left: metrics,
    leftYAxis: { min: 0, label: unit, showUnits: false },
    leftAnnotations: annotationsOf(widget),
    period: Duration.seconds(periodSeconds),
  });
}

/** The thresholds of the alarm, from the table that the alarm is made of. */
function annotationsOf({ alarm, divisor = 1 }: Widget): HorizontalAnnotation[] {
  if (alarm === undefined) return [];
  return thresholdsOf(alarm).map(([severity, threshold]) => ({
    value: threshold / divisor,
    label: severity,
    color: COLORS[severity],
  }));
}

function metricOf(
  line: Line | SearchedLines | FunctionLines,
  id: string,
  periodSeconds: number,
  { names }: TextContext,
): IMetric {
  if ('metric' in line) {
    const metric = cloudWatchMetric(withIds(line.metric, id), names, periodSeconds);
    // Both kinds of metric know `with`, which the interface does not.
    return (metric as MathExpression).with({ label: line.label });
  }
  const { environmentName } = names;
  const expression =
    'lambda' in line
      ? `SEARCH('{AWS/Lambda,FunctionName} MetricName="${line.lambda}" BillingOps-${environmentName}', '${line.statistic}', ${periodSeconds})`
      : `SEARCH('{${[METRIC_NAMESPACE, 'environment', 'service', ...line.by].join(',')}} MetricName="${line.name}" environment="${environmentName}" service="${line.stem}"', '${line.statistic}', ${periodSeconds})`;
  return new MathExpression({ expression, label: '', usingMetrics: {}, period: Duration.seconds(periodSeconds) });
}

/** Operands are named once in a widget: those of each line get a name of their own. */
function withIds(metric: AlarmMetric, prefix: string): AlarmMetric {
  if (metric.from !== 'math') return metric;
  const operands = Object.keys(metric.metrics);
  const named = new RegExp(String.raw`\b(${operands.join('|')})\b`, 'g');
  return {
    ...metric,
    expression: metric.expression.replaceAll(named, (operand) => `${prefix}_${operand}`),
    metrics: Object.fromEntries(
      operands.map((operand) => [
        `${prefix}_${operand}`,
        withIds(metric.metrics[operand] as AlarmMetric, `${prefix}_${operand}`),
      ]),
    ),
  };
}
