import { templatesOf } from '../../support';
import { simulate } from '../cloudwatch/simulate';
import { compositesOf, metricAlarmsOf, pagingAlarmsOf } from '../cloudwatch/template-alarms';
import { recurrenceOf } from '../../../../lib/config/alarms/recurrence';
import { alarmsOf } from '../../../../lib/config/alarms/alarms';
import { exampleEnvironment } from '../../../support/example-environments';
import { FAILURES } from './failures';
import { healthy } from './published';

/** Pages of one alarm in a night that are no storm: one for each return of what is away for half an hour takes fifteen. */
export const MOST_PAGES = 30;

/** Minutes of a night. */
export const NIGHT = 8 * 60;

/** Minutes for which a fault is there, and for which it is away, again and again. */
export const RHYTHMS = [
  [3, 30],
  [10, 10],
  [10, 30],
  [30, 30],
] as const;

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
  const alarm = metricAlarmsOf(monitoring).find(({ name: one }) =>
    [name, `${name}-critical`].some((suffix) => one === `${PREFIX}${suffix}`),
  );
  const failure = FAILURES.find((one) => `${PREFIX}${one.alarm}` === alarm?.name);
  if (alarm === undefined || failure === undefined) throw new Error(`no alarm ${name}`);
  const world = new Map(healthy().map(({ key, emit }) => [key, emit]));
  for (const [key, fault] of Object.entries(failure.published)) {
    const usual = world.get(key);
    world.set(key, (minute) =>
      minute >= 0 && minute % (on + off) < on ? fault(minute % (on + off)) : usual?.(minute),
    );
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
  return {
    raised: transitions.filter((one) => one.alarm === alarm.name && one.state === 'ALARM').length,
    pages: pages.filter((one) => one.alarm === `${PREFIX}${name}-page`).length,
  };
}
