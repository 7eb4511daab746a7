import type { Series } from './metric-math';

/**
 * When CloudWatch raises a metric alarm, by its guide.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
 */

export type AlarmState = 'ALARM' | 'OK' | 'INSUFFICIENT_DATA';

/** Properties of an alarm in a template that decide its state. */
export interface AlarmRule {
  readonly Threshold: number;
  readonly ComparisonOperator: string;
  readonly EvaluationPeriods: number;
  /** @default - all of the evaluated periods */
  readonly DatapointsToAlarm?: number;
  /** @default 'missing' */
  readonly TreatMissingData?: string;
}

/**
 * Periods that CloudWatch retrieves besides those that it evaluates. "The exact number depends on the length of the alarm
 * period" and is not published; the guide's examples retrieve 5 of an alarm over 3.
 */
const EXTRA_PERIODS = 2;

/** Periods that CloudWatch retrieves: the evaluation range. */
export function evaluationRange({ EvaluationPeriods }: AlarmRule): number {
  return EvaluationPeriods + EXTRA_PERIODS;
}

/** Whether a value breaches the threshold. */
function breaches({ ComparisonOperator, Threshold }: AlarmRule, value: number): boolean {
  switch (ComparisonOperator) {
    case 'GreaterThanThreshold':
      return value > Threshold;
    case 'GreaterThanOrEqualToThreshold':
      return value >= Threshold;
    case 'LessThanThreshold':
      return value < Threshold;
    case 'LessThanOrEqualToThreshold':
      return value <= Threshold;
    default:
      throw new Error(`the evaluator does not know ${ComparisonOperator}`);
  }
}

/**
 * The state after an evaluation.
 *
 * @param range values of the evaluation range, the oldest first
 * @param current state before
 */
export function nextState(rule: AlarmRule, range: Series, current: AlarmState): AlarmState {
  const { EvaluationPeriods: wanted, DatapointsToAlarm: needed = wanted, TreatMissingData = 'missing' } = rule;
  const real = range.filter((value) => value !== undefined);
  const considered = real.slice(-wanted);
  const breaching = considered.filter((value) => breaches(rule, value)).length;
  const judged = (count: number): AlarmState => (count >= needed ? 'ALARM' : 'OK');
  if (considered.length === wanted || TreatMissingData === 'notBreaching') return judged(breaching);
  if (TreatMissingData === 'breaching') return judged(breaching + wanted - considered.length);

  // `missing` and `ignore` decide by what is there.
  const undecided = TreatMissingData === 'ignore' ? current : 'INSUFFICIENT_DATA';
  if (considered.length === 0) return undecided;
  if (breaching >= needed) return 'ALARM';
  if (breaching < considered.length) return 'OK';
  // All that is there breaches. A value that is old enough raises the alarm; after one that is not, the next may be good.
  const age = range.length - range.findIndex((value) => value !== undefined);
  if (age < needed) return undecided;
  return TreatMissingData === 'ignore' ? current : 'ALARM';
}
