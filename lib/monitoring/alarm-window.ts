const HOUR_SECONDS = 60 * 60;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const WEEK_SECONDS = 7 * DAY_SECONDS;

/** How far back an alarm looks. */
export interface AlarmWindow {
  /** Seconds that one value summarises. */
  readonly periodSeconds: number;
  /** Periods that are evaluated. */
  readonly evaluationPeriods: number;
}

/**
 * CloudWatch rejects, at deployment, an alarm that looks back more than a day, or more than a week in periods of an hour or
 * longer. The framework and its validation do not check it. Periods are whole minutes.
 *
 * @throws Error naming the alarm
 */
export function assertAlarmWindow(name: string, { periodSeconds, evaluationPeriods }: AlarmWindow): void {
  const limit = periodSeconds >= HOUR_SECONDS ? WEEK_SECONDS : DAY_SECONDS;
  if (periodSeconds % 60 === 0 && periodSeconds > 0 && periodSeconds * evaluationPeriods <= limit) return;
  throw new Error(
    `alarm ${name}: periods must be whole minutes and together at most ${limit} s, got ${evaluationPeriods} × ${periodSeconds}`,
  );
}
