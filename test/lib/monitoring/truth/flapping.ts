import { templatesOf } from '../../support';
import { simulate, type Happening } from '../cloudwatch/simulate';
import { compositesOf, metricAlarmsOf, pagingAlarmsOf } from '../cloudwatch/template-alarms';
import { recurrenceOf } from '../../../../lib/config/alarms/recurrence';
import { alarmsOf } from '../../../../lib/config/alarms/alarms';
import { exampleEnvironment } from '../../../support/example-environments';
import { FAILURES } from './failures';
import { healthy } from './published';

/** Pages of one alarm in a night at most: what is away for longer than fifty minutes is another fault when it returns. */
export const MOST_PAGES = 9;

/** Minutes of a night. */
export const NIGHT = 8 * 60;

/** Minutes for which a fault is there, and for which it is away, again and again. */
export const RHYTHMS = [
  [3, 30],
  [10, 10],
  [10, 30],
  [30, 30],
] as const;

/** The same, where each return is another fault: what pages for each pages most often. */
export const FORGOTTEN = [3, 50] as const;

const PREFIX = 'BillingOps-production-';
const { monitoring } = templatesOf('production');

/** The critical alarms that may come and go, by the names of their definitions. */
export const FLAPPING = alarmsOf(exampleEnvironment('production')).flatMap((definition) =>
  recurrenceOf(definition) === undefined ? [] : [definition.name],
);

/** One that is raised for longer than it waits for its cause, and does not come and go within an hour. */
export const SLOW = 'eventQueueAge';

/** What a critical alarm does in a night in which its fault comes and goes. */
export function flap(name: string, [on, off]: readonly [number, number]): { raised: number; pages: number } {
  const { raised, pages } = during(name, (minute) => (minute % (on + off) < on ? minute % (on + off) : undefined));
  return { raised: raised.length, pages: pages.length };
}

/** Minutes of a night at which a critical alarm is raised, and at which it pages, when its fault is there from one minute to another. */
export function recur(
  name: string,
  faults: readonly (readonly [from: number, to: number])[],
): { raised: number[]; pages: number[] } {
  return during(name, (minute) => {
    const [from] = faults.find(([start, end]) => minute >= start && minute < end) ?? [];
    return from === undefined ? undefined : minute - from;
  });
}

/** @param since minutes since the fault began; `undefined` where it is away */
function during(name: string, since: (minute: number) => number | undefined): { raised: number[]; pages: number[] } {
  const alarm = metricAlarmsOf(monitoring).find(({ name: one }) =>
    [name, `${name}-critical`].some((suffix) => one === `${PREFIX}${suffix}`),
  );
  const failure = FAILURES.find((one) => `${PREFIX}${one.alarm}` === alarm?.name);
  if (alarm === undefined || failure === undefined) throw new Error(`no alarm ${name}`);
  const world = new Map(healthy().map(({ key, emit }) => [key, emit]));
  for (const [key, fault] of Object.entries(failure.published)) {
    const usual = world.get(key);
    world.set(key, (minute) => {
      const age = minute < 0 ? undefined : since(minute);
      return age === undefined ? usual?.(minute) : fault(age);
    });
  }
  const composites = compositesOf(monitoring);
  const own = composites.filter((one) =>
    [`${name}-silent`, `${name}-page`].some((suffix) => one.name === `${PREFIX}${suffix}`),
  );
  const rules = [...own, ...composites.filter((one) => one.name === `${PREFIX}regionTrouble`)];
  const watched = pagingAlarmsOf(monitoring).filter((one) =>
    rules.some(({ rule }) => rule.includes(`("${one.name}")`)),
  );
  const { transitions, pages } = simulate({
    alarms: watched,
    composites: rules.toSorted(
      (one, other) => Number(other.name.endsWith('regionTrouble')) - Number(one.name.endsWith('regionTrouble')),
    ),
    world,
    from: -20,
    to: NIGHT,
    initial: 'OK',
  });
  const minutesOf = (of: string, happenings: readonly Happening[]): number[] =>
    happenings.flatMap((one) => (one.alarm === of && one.state === 'ALARM' ? [one.minute] : []));
  return { raised: minutesOf(alarm.name, transitions), pages: minutesOf(`${PREFIX}${name}-page`, pages) };
}
