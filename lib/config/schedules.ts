import type { DatabaseName } from '../../lambdas/shared/contract';
import { BACKUP_POLICIES } from './policies';

/** When something runs by itself, and how late it may still start. */
export interface ScheduleDefinition {
  /** `cron(…)` or `rate(…)` of EventBridge Scheduler, in UTC. */
  readonly expression: string;
  /** Minutes between two runs. */
  readonly periodMinutes: number;
  /**
   * Minutes after which a start that did not get through is given up. Must stay below the period, or a stale run
   * overlaps the next; Scheduler's own default is a whole day. Scheduler accepts no less than one minute.
   */
  readonly maximumAgeMinutes: number;
}

/** Each database is archived as often as its backup policy says. */
export const ARCHIVE_SCHEDULES: Readonly<Record<DatabaseName, ScheduleDefinition>> = {
  billing: archiveSchedule('billing'),
  main: archiveSchedule('main'),
};

/** Sizes and ratios are gauges: five minutes is the resolution at which the alarms look at them. */
export const COLLECTOR_SCHEDULE: ScheduleDefinition = {
  expression: 'rate(5 minutes)',
  periodMinutes: 5,
  maximumAgeMinutes: 4,
};

/** Daily comparison with Stripe, at a full hour. */
export function reconciliationSchedule(hourUtc: number): ScheduleDefinition {
  return { expression: `cron(0 ${hourUtc} * * ? *)`, periodMinutes: 24 * 60, maximumAgeMinutes: 60 };
}

function archiveSchedule(database: DatabaseName): ScheduleDefinition {
  const policy = BACKUP_POLICIES[database];
  return { expression: policy.cron, periodMinutes: policy.frequencyHours * 60, maximumAgeMinutes: 60 };
}
