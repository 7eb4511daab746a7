import { alarmOf } from './alarm-support';
import { isRaised } from './evaluate-alarm';

const HOUR_SECONDS = 3_600;
const raised = (name: string, value: number | undefined) =>
  isRaised(alarmOf('production', name), [value, value, value]);

test.each<[due: string, hours: number | undefined, warning: boolean, critical: boolean]>([
  ['in five days', 120, false, false],
  ['in three days', 72, true, false],
  ['in 23 hours', 23, true, true],
  ['since yesterday', -24, true, true],
  ['of no dispute', undefined, false, false],
])('evidence that is due %s raises the alarms of its urgency', (_due, hours, warning, critical) => {
  const seconds = hours === undefined ? undefined : hours * HOUR_SECONDS;
  expect(raised('disputeDue-warning', seconds)).toBe(warning);
  expect(raised('disputeDue-critical', seconds)).toBe(critical);
});

test.each([
  ['an early fraud warning', 'earlyFraudWarnings', 0, 1],
  ['a failed payout that nothing replaced', 'payoutsFailed', 0, 1],
  ['a payout that is two days late', 'payoutLate', 172_800, 172_801],
  ['a paid purchase without a user', 'unownedPurchases', 0, 1],
  ['an object that waits longer than 15 minutes to be read again', 'refreshOverdue', 900, 901],
])('%s raises an alarm, and nothing less does', (_what, name, below, above) => {
  expect(raised(name, below)).toBe(false);
  expect(raised(name, above)).toBe(true);
});
