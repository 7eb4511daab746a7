import { evaluationRange, nextState, type AlarmState } from './alarm-state';
import { ruleHolds, SuppressedActions } from './composite';
import { evaluate, isSeries, type MissingOperand, type Series, type Value } from './metric-math';
import { Recorded, type World } from './samples';
import type { Composite, MetricAlarm, MetricOperand } from './template-alarms';

/**
 * Minutes until what was published can be seen: the newest period of an alarm is never whole. The guide warns of it under
 * `FILL`; the embedded metric format takes longer than the metrics of AWS itself.
 */
const DELAY_MINUTES = 2;

export interface SimulationOptions {
  readonly alarms: readonly MetricAlarm[];
  /** @default - none */
  readonly composites?: readonly Composite[];
  readonly world: World;
  /** Minute at which the alarms are created, or begin to be looked at. */
  readonly from: number;
  /** Minute at which the story ends. */
  readonly to: number;
  /** State of each alarm at the beginning. @default 'INSUFFICIENT_DATA', as of an alarm that was just created */
  readonly initial?: AlarmState;
  /** @default 'zero' */
  readonly missing?: MissingOperand;
}

/** A change of an alarm's state, or a message to a topic. */
export interface Happening {
  readonly minute: number;
  readonly alarm: string;
  readonly state: AlarmState;
}

/** A message about an alarm that was raised. */
export interface Notification extends Happening {
  readonly topic: string;
}

export interface Outcome {
  readonly transitions: readonly Happening[];
  /** Messages about raised alarms; those about alarms that are over are left out. */
  readonly notifications: readonly Notification[];
  /** Of those, the ones that wake somebody. */
  readonly pages: readonly Notification[];
}

/** What the alarms do, evaluated every minute as CloudWatch does. */
export function simulate(options: SimulationOptions): Outcome {
  const { alarms, composites = [], from, to, initial = 'INSUFFICIENT_DATA' } = options;
  const states = new Map<string, AlarmState>([...alarms, ...composites].map(({ name }) => [name, initial]));
  const actions = new Map(composites.map((one) => [one.name, new SuppressedActions(minutes(one))]));
  const stateOf = (name: string): AlarmState => {
    const state = states.get(name);
    if (state === undefined) throw new Error(`no alarm ${name}`);
    return state;
  };
  const transitions: Happening[] = [];
  const notifications: Notification[] = [];
  const become = (minute: number, alarm: string, state: AlarmState): boolean => {
    if (stateOf(alarm) === state) return false;
    states.set(alarm, state);
    transitions.push({ minute, alarm, state });
    return true;
  };
  const notify = (minute: number, alarm: string, topics: readonly string[]): void => {
    for (const topic of topics) notifications.push({ minute, alarm, state: 'ALARM', topic });
  };
  const valuesOf = windows(options);
  for (let minute = from + 1; minute <= to; minute += 1) {
    for (const alarm of alarms) {
      const state = nextState(alarm, valuesOf(alarm, minute), stateOf(alarm.name));
      if (become(minute, alarm.name, state) && state === 'ALARM') notify(minute, alarm.name, alarm.topics);
    }
    for (const { name, rule, topics, suppressor } of composites) {
      const state = ruleHolds(rule, stateOf) ? 'ALARM' : 'OK';
      become(minute, name, state);
      const taken = actions.get(name)?.step(minute, state, suppressor === undefined ? 'OK' : stateOf(suppressor));
      if (taken === 'ALARM') notify(minute, name, topics);
    }
  }
  return { transitions, notifications, pages: notifications.filter(({ topic }) => !topic.includes('Warning')) };
}

function minutes({ wait, extension }: Composite): { wait: number; extension: number } {
  return { wait: Math.ceil(wait / 60), extension: Math.ceil(extension / 60) };
}

/** The values of an alarm's evaluation range at a minute. Windows end at that minute. Alarms of one value share it. */
function windows({
  alarms,
  world,
  from,
  to,
  missing,
}: SimulationOptions): (alarm: MetricAlarm, minute: number) => Series {
  // Of each metric, as many minutes as the alarms that read it look back.
  const longest = new Map<string, number>();
  for (const alarm of alarms) {
    const minutesBack = (evaluationRange(alarm) * alarm.periodSeconds) / 60;
    for (const { key } of alarm.operands) longest.set(key, Math.max(longest.get(key) ?? 0, minutesBack));
  }
  const recorded = new Map<string, Recorded>();
  const recordOf = (key: string): Recorded => {
    const record = recorded.get(key) ?? new Recorded(world.get(key), from - (longest.get(key) ?? 0), to);
    recorded.set(key, record);
    return record;
  };
  const identities = new Map(
    alarms.map((alarm) => [
      alarm,
      JSON.stringify([alarm.operands, alarm.expressions, alarm.periodSeconds, evaluationRange(alarm)]),
    ]),
  );
  // A period that is whole has the same value at every later minute; by the minute at which it ended.
  const periods = new Map<string, Map<number, number | undefined>>();
  const wholePeriods = (of: string): Map<number, number | undefined> => {
    const known = periods.get(of) ?? new Map<number, number | undefined>();
    periods.set(of, known);
    return known;
  };
  // Most metrics of a story publish nothing: what is computed of them alone is the same at every minute.
  const computed = new Map<string, { readonly minute: number; readonly constant: boolean; readonly series: Series }>();
  return (alarm, minute) => {
    const identity = identities.get(alarm) ?? '';
    const known = computed.get(identity);
    if (known !== undefined && (known.constant || known.minute === minute)) return known.series;
    const length = evaluationRange(alarm);
    const period = alarm.periodSeconds / 60;
    const series = valueOver(
      alarm,
      length,
      ({ key, statistic }) => {
        const [record, whole] = [recordOf(key), wholePeriods(`${key} ${statistic} ${period}`)];
        return Array.from({ length }, (_, index) => {
          const end = minute - (length - 1 - index) * period;
          const visible = minute - DELAY_MINUTES;
          if (visible < end) return record.statistic(statistic, end - period, visible);
          if (!whole.has(end)) whole.set(end, record.statistic(statistic, end - period, end));
          return whole.get(end);
        });
      },
      missing,
    );
    const constant = alarm.operands.every(({ key }) => recordOf(key).isEmpty);
    computed.set(identity, { minute, constant, series });
    return series;
  };
}

/**
 * The value of an alarm in each period, or of anything that is computed like it.
 *
 * @param seriesOf values of a metric in each period
 * @throws Error naming the alarm when its result is not one time series
 */
export function valueOver(
  {
    name,
    operands,
    expressions,
    periodSeconds,
  }: Pick<MetricAlarm, 'name' | 'operands' | 'expressions' | 'periodSeconds'>,
  length: number,
  seriesOf: (operand: MetricOperand) => Series,
  missing?: MissingOperand,
): Series {
  const values = new Map<string, Value>(operands.map((operand) => [operand.id, seriesOf(operand)]));
  const metrics = operands.map(({ id }) => id);
  for (const { id, text } of expressions) {
    values.set(id, evaluate(text, { values, metrics, periodSeconds, length, missing }));
  }
  const result = values.get(expressions.at(-1)?.id ?? operands[0]?.id ?? '');
  if (result === undefined || !isSeries(result)) throw new Error(`${name}: its result is not one time series`);
  return result;
}
