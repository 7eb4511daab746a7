import { templatesOf } from '../support';
import { simulate } from './cloudwatch/simulate';
import { metricAlarmsOf, tellsReturn } from './cloudwatch/template-alarms';
import { FAILURES } from './truth/failures';
import { healthy, worldOf } from './truth/published';
import { QUIET } from './truth/stories';

/**
 * The alarms of `alarm-truth.test.ts` once more, where an operand without data leaves an expression without data. The guide
 * does not say which of the two holds for a metric that never had any: no alarm may depend on it.
 */
const ALARMS = metricAlarmsOf(templatesOf('production').monitoring).filter(({ name }) => !tellsReturn(name));
const PREFIX = 'BillingOps-production-';
const suffixOf = (name: string): string => name.slice(PREFIX.length);
const missing = 'gap';

describe('an operand that is missing leaves no value:', () => {
  test.each(FAILURES)('$alarm is raised when $fault', ({ alarm: suffix, published, within }) => {
    const alarm = ALARMS.filter(({ name }) => name === `${PREFIX}${suffix}`);
    const world = worldOf(healthy(), published);
    const { transitions } = simulate({ alarms: alarm, world, from: -20, to: within, initial: 'OK', missing });
    expect(transitions.map(({ state }) => state)).toEqual(['ALARM']);
    expect(transitions[0]?.minute).toBeGreaterThan(0);
  });

  test.each(QUIET)('$name pages nobody', ({ world, minutes, createdAt = 0, raised: expected = [] }) => {
    const { transitions } = simulate({ alarms: ALARMS, world, from: createdAt, to: minutes, missing });
    const raised = transitions.filter(({ state }) => state === 'ALARM');
    expect(raised.map(({ alarm, minute }) => `${suffixOf(alarm)} after ${minute} min`)).toEqual(expected);
  });
});
