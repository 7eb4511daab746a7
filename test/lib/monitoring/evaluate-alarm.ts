import type { Resource } from '../support';
import { evaluationRange, nextState, type AlarmState } from './cloudwatch/alarm-state';
import { valueOver } from './cloudwatch/simulate';
import { metricAlarm } from './cloudwatch/template-alarms';

/** The values of one period by the ids of their metrics, or the value itself; what is missing was not published. */
export type Period = number | undefined | Readonly<Record<string, number | undefined>>;

/** Names are compared by nothing here: periods name the metrics by their ids. */
const asText = (value: unknown): string => JSON.stringify(value);

/** Whether an alarm is raised at the end of periods, the oldest first, having been closed before. */
export function isRaised(properties: Resource['Properties'], periods: readonly Period[]): boolean {
  const alarm = metricAlarm(properties, asText);
  const length = evaluationRange(alarm);
  let state: AlarmState = 'OK';
  for (const index of periods.keys()) {
    const range = Array.from({ length }, (_, position) => periods[index - (length - 1 - position)]);
    const series = ({ id }: { readonly id: string }) =>
      range.map((period) => (typeof period === 'object' ? period[id] : period));
    state = nextState(alarm, valueOver(alarm, length, series), state);
  }
  return state === 'ALARM';
}
