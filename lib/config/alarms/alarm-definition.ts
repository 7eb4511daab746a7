import type { ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { AlarmMetric, WatchedQueue } from './alarm-metric';
import type { Owner } from './owners';

/** How urgent an alarm is. Each severity has a topic of its own. */
export const SEVERITIES = ['warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Page of the AWS console that an alert links to: the one that shows most about its cause. */
export type ConsolePage =
  /** The alarm with its graph. */
  | 'alarm'
  /** The monitoring tab of a function, which leads to its log. */
  | { readonly functionOf: string }
  | { readonly queue: WatchedQueue }
  | 'backupJobs'
  | 'firewall'
  /** Health of the services of AWS, which has its own address: the console of a region that is lost does not open. */
  | 'health'
  | 'instanceEvents'
  | 'keys'
  | 'secrets'
  | 'stateMachines'
  | 'topics';

/** What an operator gets to read when something is wrong. */
export interface AlertDefinition {
  /** What is wrong. A sentence without its full stop. */
  readonly symptom: string;
  /** What to do first. One sentence or two. */
  readonly action: string;
  /** Group that is told, and puts it right. */
  readonly owner: Owner;
  /** Heading in `docs/runbook.md`. */
  readonly runbookAnchor: string;
  /** Where to look first. */
  readonly consolePage: ConsolePage;
}

/** One watched value, with an alarm for each of its severities. The terms are CloudWatch's. */
export interface AlarmDefinition extends AlertDefinition {
  /** Last part of the alarm's name. With both severities, each alarm's name also ends in its severity. */
  readonly name: string;
  /** What the number is, as the alarm's text names it. */
  readonly measure: string;
  /** Unit of the thresholds. Texts write seconds as minutes, hours or days. */
  readonly unit: '%' | 'ms' | 's' | 'count';
  /** The value from which on each severity raises an alarm. One alarm for each that is named. */
  readonly thresholds: Readonly<Partial<Record<Severity, number>>>;
  /** Whether values above or below the threshold breach. */
  readonly comparisonOperator: `${ComparisonOperator.GREATER_THAN_THRESHOLD | ComparisonOperator.LESS_THAN_THRESHOLD}`;
  /** The value that is compared. */
  readonly metric: AlarmMetric;
  /** Seconds that one value summarises. */
  readonly periodSeconds: number;
  /** Periods that are evaluated. */
  readonly evaluationPeriods: number;
  /**
   * Of those, how many must breach. Fewer than all tolerates a gap; one alone would page for a single spike.
   * @default - all of them
   */
  readonly datapointsToAlarm?: number;
  /**
   * What a period without data means. `notBreaching`: nothing happened. `breaching`: what should have reported did not.
   * `ignore`: the state stays as it is until there is data again.
   */
  readonly treatMissingData: `${TreatMissingData}`;
}

/** Last part of the name of the alarm of one severity. */
export function alarmSuffix({ name, thresholds }: AlarmDefinition, severity: Severity): string {
  return Object.keys(thresholds).length > 1 ? `${name}-${severity}` : name;
}

/** The severities of a definition, each with its threshold; the milder first. */
export function thresholdsOf({ thresholds }: AlarmDefinition): (readonly [Severity, number])[] {
  return SEVERITIES.flatMap((severity) => {
    const threshold = thresholds[severity];
    return threshold === undefined ? [] : [[severity, threshold] as const];
  });
}
