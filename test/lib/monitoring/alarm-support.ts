import { resourcesOf, templatesOf, type Resource } from '../support';
import { tellsReturn, type MetricQuery } from './cloudwatch/template-alarms';

/**
 * Properties of the alarms that a definition makes, of an environment, by their names without `BillingOps-<environment>-`.
 *
 * @param named the environment's own name. @default that of the template
 */
export function alarmsOfTemplate(environment: string, named = environment): Record<string, Resource['Properties']> {
  const alarms = Object.values(resourcesOf(templatesOf(environment).monitoring, 'AWS::CloudWatch::Alarm'));
  const prefix = `BillingOps-${named}-`;
  return Object.fromEntries(
    alarms
      .filter(({ Properties }) => !tellsReturn(String(Properties.AlarmName)))
      .map(({ Properties }) => {
        const name = String(Properties.AlarmName);
        if (!name.startsWith(prefix)) throw new Error(`The alarm ${name} does not begin with ${prefix}`);
        return [name.slice(prefix.length), Properties];
      }),
  );
}

/** @param name without `BillingOps-<environment>-` */
export function alarmOf(environment: string, name: string): Resource['Properties'] {
  const alarm = alarmsOfTemplate(environment)[name];
  if (!alarm) throw new Error(`${environment} has no alarm ${name}`);
  return alarm;
}

/** The composite alarm that pages for an alarm, by the name of its definition. `undefined` where the alarm itself does. */
export function pageOf(environment: string, name: string): Resource['Properties'] | undefined {
  const composites = Object.values(resourcesOf(templatesOf(environment).monitoring, 'AWS::CloudWatch::CompositeAlarm'));
  return composites.find(({ Properties }) => Properties.AlarmName === `BillingOps-${environment}-${name}-page`)
    ?.Properties;
}

/** The queries of an alarm on metric math; empty for an alarm on one metric. */
export function queriesOf(alarm: Resource['Properties']): MetricQuery[] {
  return (alarm.Metrics ?? []) as MetricQuery[];
}

/** Reference to the topic of a severity. */
export function topicOf(environment: string, severity: string): { readonly Ref: string } {
  const topics = Object.keys(resourcesOf(templatesOf(environment).monitoring, 'AWS::SNS::Topic'));
  const [topic, ...others] = topics.filter((id) => id.toLowerCase().includes(severity));
  if (topic === undefined || others.length > 0) throw new Error(`Expected one topic of ${severity}`);
  return { Ref: topic };
}

/** A value of a template as text: what is known at deployment only is a name of the longest that SQS allows. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const parts = (value as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1];
  return parts.map((part) => (typeof part === 'string' ? part : 'q'.repeat(80))).join('');
}
