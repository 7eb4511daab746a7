/** How far back an alarm looks, and how much of it must breach. */
export interface AlarmWindow {
  /** Seconds that one value summarises. */
  readonly periodSeconds: number;
  /** Periods that are evaluated. */
  readonly evaluationPeriods: number;
  /** Of those, how many must breach. */
  readonly datapointsToAlarm: number;
}
