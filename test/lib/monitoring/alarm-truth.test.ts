import { templatesOf } from '../support';
import { simulate } from './cloudwatch/simulate';
import { metricAlarmsOf, tellsReturn } from './cloudwatch/template-alarms';
import { FAILURES } from './truth/failures';
import { QUIET, SILENCE } from './truth/stories';
import { healthy, nothing, worldOf } from './truth/published';

/** Every alarm of the template is fed with what is published: the one that has to be raised is, and no other ever is. */
const ALARMS = metricAlarmsOf(templatesOf('production').monitoring).filter(({ name }) => !tellsReturn(name));
const PREFIX = 'BillingOps-production-';
const suffixOf = (name: string): string => name.slice(PREFIX.length);

test('every alarm has a fault that must raise it', () => {
  expect(FAILURES.map(({ alarm }) => alarm).toSorted()).toEqual(ALARMS.map(({ name }) => suffixOf(name)).toSorted());
});

test('every alarm looks at metrics that something publishes, in exactly these dimensions', () => {
  const published = new Set(healthy().map(({ key }) => key));
  const unknown = ALARMS.flatMap(({ name, operands }) => operands.map(({ key }) => `${suffixOf(name)}: ${key}`));
  expect(unknown.filter((line) => !published.has(line.slice(line.indexOf(': ') + 2)))).toEqual([]);
});

describe('an operand that is missing counts as 0, as the guide says:', () => {
  test.each(FAILURES)('$alarm is raised when $fault', ({ alarm: suffix, published, within }) => {
    const alarm = ALARMS.filter(({ name }) => name === `${PREFIX}${suffix}`);
    const world = worldOf(healthy(), published);
    const { transitions } = simulate({ alarms: alarm, world, from: -20, to: within, initial: 'OK' });
    expect(transitions.map(({ state }) => state)).toEqual(['ALARM']);
    expect(transitions[0]?.minute).toBeGreaterThan(0);
  });

  test.each(QUIET)('$name pages nobody', ({ world, minutes, createdAt = 0, raised: expected = [] }) => {
    const { transitions } = simulate({ alarms: ALARMS, world, from: createdAt, to: minutes });
    const raised = transitions.filter(({ state }) => state === 'ALARM');
    expect(raised.map(({ alarm, minute }) => `${suffixOf(alarm)} after ${minute} min`)).toEqual(expected);
  });
});

test.each(SILENCE)('$alarm is raised when the $emitter publishes nothing any more', ({ emitter, alarm, within }) => {
  const silent = healthy().filter(({ by }) => by === emitter);
  const world = worldOf(healthy(), Object.fromEntries(silent.map(({ key }) => [key, nothing])));
  const { transitions } = simulate({ alarms: ALARMS, world, from: -20, to: within, initial: 'OK' });
  expect(transitions.map(({ alarm: name }) => suffixOf(name))).toContain(alarm);
});
