import { runInNewContext } from 'node:vm';
import type { Resource } from '../support';
import { queriesOf } from './alarm-support';

/** The values of one period by the ids of their metrics, or the value itself; what is missing was not published. */
export type Period = number | undefined | Readonly<Record<string, number | undefined>>;

const FUNCTIONS = {
  FILL: (value: number, instead: number) => (Number.isNaN(value) ? instead : value),
  IF: (condition: boolean, then: number, otherwise: number) => (condition ? then : otherwise),
  MAX: (values: readonly number[]) => highest(values, Math.max),
  MIN: (values: readonly number[]) => highest(values, Math.min),
};

function highest(values: readonly number[], of: (...numbers: number[]) => number): number {
  const present = values.filter((value) => !Number.isNaN(value));
  return present.length === 0 ? Number.NaN : of(...present);
}

/** The value that CloudWatch compares; `undefined` without data. */
export function valueOf(alarm: Resource['Properties'], period: Period): number | undefined {
  const queries = queriesOf(alarm);
  if (queries.length === 0) return period as number | undefined;
  const given = typeof period === 'object' ? period : {};
  const ids = queries.flatMap(({ Id, MetricStat }) => (MetricStat ? [Id] : []));
  const known: Record<string, number> = Object.fromEntries(ids.map((id) => [id, given[id] ?? Number.NaN]));
  // Operands stand before what uses them, or behind: whatever needs nothing unknown comes first.
  const pending = queries.filter(({ Expression }) => Expression !== undefined);
  for (;;) {
    const next = pending.findIndex(({ Expression = '' }) =>
      (Expression.match(/\b[a-z]\w*/g) ?? []).every((id) => id in known),
    );
    const [query] = next < 0 ? [] : pending.splice(next, 1);
    if (!query) throw new Error(`Metrics without a value: ${pending.map(({ Expression }) => Expression).join('; ')}`);
    const script = (query.Expression ?? '').replaceAll(' AND ', ' && ').replaceAll(' OR ', ' || ');
    const value = runInNewContext(script, { ...FUNCTIONS, ...known }) as number;
    if (query.ReturnData !== false) return Number.isNaN(value) ? undefined : value;
    known[query.Id] = value;
  }
}

/** Whether an alarm is raised at the end of periods, the oldest first, having been closed before. */
export function isRaised(alarm: Resource['Properties'], periods: readonly Period[]): boolean {
  const { Threshold, ComparisonOperator, EvaluationPeriods, DatapointsToAlarm, TreatMissingData } = alarm;
  const threshold = Number(Threshold);
  const considered = Number(EvaluationPeriods);
  let raised = false;
  for (const [index] of periods.entries()) {
    const window = Array.from({ length: considered }, (_, back) => periods[index - back]);
    const values = window.map((period, back) => (back > index ? undefined : valueOf(alarm, period)));
    if (TreatMissingData === 'ignore' && values[0] === undefined) continue;
    const breaching = values.filter((value) => {
      if (value === undefined) return TreatMissingData === 'breaching';
      return ComparisonOperator === 'GreaterThanThreshold' ? value > threshold : value < threshold;
    });
    raised = breaching.length >= Number(DatapointsToAlarm ?? considered);
  }
  return raised;
}
