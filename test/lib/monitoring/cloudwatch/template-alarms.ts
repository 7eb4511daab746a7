import type { Template } from 'aws-cdk-lib/assertions';
import { resourcesOf, type Resource } from '../../support';
import type { AlarmRule } from './alarm-state';
import { metricKey } from './samples';

/** A metric that a query reads. */
export interface MetricOperand {
  readonly id: string;
  /** See {@link metricKey}. */
  readonly key: string;
  readonly statistic: string;
}

/** A metric alarm of a template. */
export interface MetricAlarm extends AlarmRule {
  readonly name: string;
  readonly periodSeconds: number;
  readonly operands: readonly MetricOperand[];
  /** Expressions in the order in which each knows its operands; the last one is the alarm's value. Empty for one metric. */
  readonly expressions: readonly { readonly id: string; readonly text: string }[];
  /** Topics that are notified in ALARM. */
  readonly topics: readonly string[];
}

/** A composite alarm of a template. */
export interface Composite {
  readonly name: string;
  readonly rule: string;
  readonly topics: readonly string[];
  /** Name of the alarm that suppresses its actions. */
  readonly suppressor: string | undefined;
  /** Seconds. */
  readonly wait: number;
  readonly extension: number;
}

/** Whether an alarm only tells a page that what it pages for comes and goes, or that its cause was raised lately. */
export const tellsReturn = (name: string): boolean => /-(returns|lately|recently)$/.test(name);

/** A query of an alarm, or of a widget. */
export interface MetricQuery {
  readonly Id: string;
  readonly Expression?: string;
  readonly ReturnData?: boolean;
  readonly Period?: number;
  readonly MetricStat?: {
    readonly Stat: string;
    readonly Period: number;
    readonly Metric: TemplateMetric;
  };
}

interface TemplateMetric {
  readonly MetricName: string;
  readonly Namespace: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: unknown }[];
}

/** Reads the values of a template that are known at deployment only: by the parameter's default, or the logical id. */
export function resolver(template: Template): (value: unknown) => string {
  const { Parameters = {} } = template.toJSON() as { Parameters?: Record<string, { readonly Default?: string }> };
  return function resolve(value): string {
    if (typeof value === 'string') return value;
    const given = value as { readonly [intrinsic: string]: unknown };
    if ('Ref' in given) return Parameters[String(given.Ref)]?.Default ?? String(given.Ref);
    if ('Fn::GetAtt' in given) return String((given['Fn::GetAtt'] as readonly unknown[])[0]);
    if ('Fn::Join' in given) {
      const [separator, parts] = given['Fn::Join'] as [string, readonly unknown[]];
      return parts.map(resolve).join(separator);
    }
    if ('Fn::ImportValue' in given) return resolve(given['Fn::ImportValue']);
    throw new Error(`not known before the deployment: ${JSON.stringify(value)}`);
  };
}

/** The metric alarms of a template. */
export function metricAlarmsOf(template: Template): MetricAlarm[] {
  const resolve = resolver(template);
  return Object.values(resourcesOf(template, 'AWS::CloudWatch::Alarm')).map(({ Properties }) =>
    metricAlarm(Properties, resolve),
  );
}

/** A metric alarm, of its properties in a template. */
export function metricAlarm(properties: Resource['Properties'], resolve: (value: unknown) => string): MetricAlarm {
  const queries = (properties.Metrics ?? []) as readonly MetricQuery[];
  const single = queries.length === 0 ? [singleMetric(properties)] : [];
  const operands = [...single, ...queries].flatMap(({ Id, MetricStat }) =>
    MetricStat === undefined ? [] : [{ id: Id, statistic: MetricStat.Stat, key: keyOf(MetricStat.Metric, resolve) }],
  );
  const periods = new Set(
    [...single, ...queries].flatMap(({ MetricStat, Period }) => MetricStat?.Period ?? Period ?? []),
  );
  const [periodSeconds, ...others] = periods;
  if (periodSeconds === undefined || others.length > 0) throw new Error(`${String(properties.AlarmName)}: one period`);
  return {
    ...(properties as unknown as AlarmRule),
    name: String(properties.AlarmName),
    periodSeconds,
    operands,
    expressions: inOrder(queries),
    topics: topicsOf(properties, resolve),
  };
}

function singleMetric(properties: Resource['Properties']): MetricQuery {
  const { MetricName, Namespace, Dimensions = [], Period, Statistic, ExtendedStatistic } = properties;
  const Metric = { MetricName, Namespace, Dimensions } as TemplateMetric;
  return { Id: 'value', MetricStat: { Stat: String(Statistic ?? ExtendedStatistic), Period: Number(Period), Metric } };
}

function keyOf(
  { Namespace, MetricName, Dimensions = [] }: TemplateMetric,
  resolve: (value: unknown) => string,
): string {
  return metricKey(
    Namespace,
    MetricName,
    Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, resolve(Value)])),
  );
}

/** What returns data comes last, and before each expression what it names. */
function inOrder(queries: readonly MetricQuery[]): { id: string; text: string }[] {
  const known = new Set(queries.flatMap(({ Id, MetricStat }) => (MetricStat ? [Id] : [])));
  const pending = queries.filter(({ Expression }) => Expression !== undefined);
  const ordered: { id: string; text: string }[] = [];
  while (pending.length > 0) {
    const next = pending.findIndex(({ Expression = '' }) =>
      (Expression.match(/\b[a-z]\w*/g) ?? []).every((id) => known.has(id)),
    );
    const [query] = next < 0 ? [] : pending.splice(next, 1);
    if (query === undefined)
      throw new Error(`operands are missing: ${pending.map((one) => one.Expression).join('; ')}`);
    known.add(query.Id);
    ordered.push({ id: query.Id, text: query.Expression ?? '' });
  }
  return ordered;
}

/** The alarms that decide what pages: the critical ones, and those that composite alarms look at. */
export function pagingAlarmsOf(template: Template): MetricAlarm[] {
  const rules = compositesOf(template).map(({ rule }) => rule);
  const isWarning = ({ topics }: MetricAlarm) => topics.some((topic) => topic.includes('Warning'));
  return metricAlarmsOf(template).filter(
    (alarm) => !isWarning(alarm) || rules.some((rule) => rule.includes(`("${alarm.name}")`)),
  );
}

function topicsOf(
  { AlarmActions = [], ActionsEnabled = true }: Resource['Properties'],
  resolve: (value: unknown) => string,
): string[] {
  return ActionsEnabled === false ? [] : (AlarmActions as unknown[]).map(resolve);
}

/** The composite alarms of a template, each behind those that it looks at. */
export function compositesOf(template: Template): Composite[] {
  const names = new Map(
    ['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::CompositeAlarm']
      .flatMap((type) => Object.entries(resourcesOf(template, type)))
      .flatMap(([id, { Properties }]) =>
        typeof Properties.AlarmName === 'string' ? [[id, Properties.AlarmName] as const] : [],
      ),
  );
  const plain = resolver(template);
  const resolve = (value: unknown): string => {
    const text = plain(value);
    // An ARN, of which the logical id is all that is known, inside a rule or alone.
    return text.replaceAll(/\b[A-Za-z0-9]+\b/g, (word) => names.get(word) ?? word);
  };
  return Object.values(resourcesOf(template, 'AWS::CloudWatch::CompositeAlarm'))
    .map(({ Properties }) => ({
      name: String(Properties.AlarmName),
      rule: resolve(Properties.AlarmRule),
      topics: topicsOf(Properties, plain),
      suppressor: Properties.ActionsSuppressor === undefined ? undefined : resolve(Properties.ActionsSuppressor),
      wait: Number(Properties.ActionsSuppressorWaitPeriod ?? 0),
      extension: Number(Properties.ActionsSuppressorExtensionPeriod ?? 0),
    }))
    .toSorted((one, other) => Number(other.suppressor === undefined) - Number(one.suppressor === undefined));
}
