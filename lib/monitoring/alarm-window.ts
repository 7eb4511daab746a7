import type { AlarmWindow } from '../config/alarms/alarm-window';

const HOUR_SECONDS = 60 * 60;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const WEEK_SECONDS = 7 * DAY_SECONDS;

/**
 * CloudWatch rejects, at deployment, an alarm that looks back more than a day, or more than a week in periods of an hour or
 * longer. The framework and its validation do not check it. Periods are whole minutes.
 *
 * @throws Error naming the alarm
 */
export function assertAlarmWindow(
  name: string,
  { periodSeconds, evaluationPeriods }: Pick<AlarmWindow, 'periodSeconds' | 'evaluationPeriods'>,
): void {
  const limit = periodSeconds >= HOUR_SECONDS ? WEEK_SECONDS : DAY_SECONDS;
  if (periodSeconds % 60 === 0 && periodSeconds > 0 && periodSeconds * evaluationPeriods <= limit) return;
  throw new Error(
    `alarm ${name}: periods must be whole minutes and together at most ${limit} s, got ${evaluationPeriods} × ${periodSeconds}`,
  );
}
