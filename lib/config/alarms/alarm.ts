import type { EnvironmentConfig } from '../environment-schema';
import type { Severity } from './thresholds';

/** What an alarm looks at. */
export type AlarmMetric =
  /** Published by a function of ours. */
  | {
      readonly from: 'function';
      /** Stem of the function. */
      readonly service: string;
      /** One of the metrics of its contract. */
      readonly name: string;
      readonly statistic: 'Sum' | 'Maximum';
      /** Besides the environment and the service. @default none */
      readonly dimensions?: Readonly<Record<string, string>>;
    }
  /** Counted by Lambda itself, also when the function cannot start. */
  | { readonly from: 'lambda'; readonly stem: string; readonly name: 'Errors' | 'Throttles' }
  /** Messages that lie in a queue where there should be none: the parked events, or the failed starts of a function. */
  | { readonly from: 'queue'; readonly of: 'parked events' | { readonly failedStartsOf: string } };

/** Something that is wrong by itself, whatever its amount: a job failed, did not run, or left something lying. */
export interface OperationalAlarm {
  /** Last part of the alarm's name. */
  readonly name: string;
  readonly severity: Severity;
  /** Several are added up; what was never published counts as 0. */
  readonly metrics: readonly AlarmMetric[];
  /** Metric math over `m0`, `m1`, … in the order of the metrics. @default - their sum */
  readonly expression?: string;
  /** The alarm fires above this, or below. */
  readonly threshold: number;
  readonly fires: 'above' | 'below';
  readonly periodSeconds: number;
  /** Periods that must all be so. */
  readonly evaluationPeriods: number;
  /**
   * What silence means. `good`: nothing happened. `bad`: what should have spoken did not. `unchanged`: the last verdict
   * stands until there is a new one.
   */
  readonly silence: 'good' | 'bad' | 'unchanged';
  /** What is wrong, as on-call reads it. */
  readonly symptom: string;
  /** What to do first. */
  readonly action: string;
  /** Heading in `docs/runbook.md`. */
  readonly runbookAnchor: string;
  /** @default - in every environment */
  readonly appliesTo?: (config: EnvironmentConfig) => boolean;
}
