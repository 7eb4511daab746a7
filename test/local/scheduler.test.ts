import { fillIn, parseExpression } from '../../local/aws/scheduler';
import type { ScheduleDefinition } from '../../local/template/platform-template';

const NOW = new Date('2026-11-21T05:30:00Z'); // a Saturday

test.each([
  ['cron(0 0,6,12,18 * * ? *)', '2026-11-21T06:00:00.000Z'],
  ['cron(0 2 * * ? *)', '2026-11-22T02:00:00.000Z'],
  ['cron(0 3 ? * 1 *)', '2026-11-22T03:00:00.000Z'],
  ['cron(0 3 ? * MON *)', '2026-11-23T03:00:00.000Z'],
  ['cron(0 4 1 * ? *)', '2026-12-01T04:00:00.000Z'],
  ['cron(0 4 1 1,4,7,10 ? 2027)', '2027-01-01T04:00:00.000Z'],
  ['rate(5 minutes)', '2026-11-21T05:35:00.000Z'],
  ['rate(1 hour)', '2026-11-21T06:30:00.000Z'],
  ['rate(90 days)', '2027-02-19T05:30:00.000Z'],
])('a schedule of %s starts next at %s', (expression, expected) => {
  expect(parseExpression(expression, 'Etc/UTC', NOW)(NOW)?.toISOString()).toBe(expected);
});

test('a rate counts from its origin, however late the next start is computed', () => {
  const next = parseExpression('rate(10 minutes)', 'UTC', NOW);

  expect(next(new Date('2026-11-21T05:57:00Z'))?.toISOString()).toBe('2026-11-21T06:00:00.000Z');
});

test('a year that is over has no next start', () => {
  expect(parseExpression('cron(0 4 1 1 ? 2025)', 'UTC', NOW)(NOW)).toBeUndefined();
});

test.each(['at(2026-11-21T00:00:00)', 'cron(0 2 * * *)', 'rate(0 minutes)', 'rate(1 week)'])(
  'the expression %s is refused',
  (expression) => {
    expect(() => parseExpression(expression, 'UTC', NOW)).toThrow(expression);
  },
);

test('the input carries the time the start was due, not the time it happened', () => {
  const schedule = { name: 'nightly' } as ScheduleDefinition;

  const input = fillIn('{"slot":"<aws.scheduler.scheduled-time>","other":"<aws.scheduler.unknown>"}', schedule, NOW);

  expect(input).toEqual({ slot: '2026-11-21T05:30:00Z', other: '<aws.scheduler.unknown>' });
});
