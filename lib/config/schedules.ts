import type { DatabaseName } from '../../core/contract';
import { BACKUP_POLICIES } from './policies';

const DAY_MINUTES = 24 * 60;

/** When a job runs, and how late it may still start. */
export interface ScheduleDefinition {
  /** `cron(…)` or `rate(…)` of EventBridge Scheduler, in UTC. */
  readonly expression: string;
  /** Minutes between two runs. */
  readonly periodMinutes: number;
  /**
   * Minutes after which an undelivered start is dropped. Must stay below the period, or a stale run overlaps the
   * next; Scheduler's own default is a whole day. Scheduler accepts no less than one minute, which is then allowed.
   */
  readonly maximumAgeMinutes: number;
}

/** Each database is archived as often as its backup policy says. */
export const ARCHIVE_SCHEDULES: Readonly<Record<DatabaseName, ScheduleDefinition>> = {
  billing: archiveSchedule('billing'),
  main: archiveSchedule('main'),
};

/**
 * When AWS Backup restores the newest recovery point of each database to test it: monthly, at hours at which neither
 * backups nor maintenance run, on different days so that the two never share the account's limits.
 */
export const RESTORE_TEST_SCHEDULES: Readonly<Record<DatabaseName, string>> = {
  billing: 'cron(0 10 1 * ? *)',
  main: 'cron(0 10 2 * ? *)',
};

/** Monthly, on days and at hours at which neither a backup nor AWS's own restore test of the same database runs. */
export const DRILL_SCHEDULES: Readonly<Record<DatabaseName, ScheduleDefinition>> = {
  billing: { expression: 'cron(0 14 3 * ? *)', periodMinutes: 28 * DAY_MINUTES, maximumAgeMinutes: 60 },
  main: { expression: 'cron(0 14 4 * ? *)', periodMinutes: 28 * DAY_MINUTES, maximumAgeMinutes: 60 },
};

/**
 * Quarterly, on days and at hours at which nothing else restores: neither the monthly drills of archives nor AWS's own restore
 * tests, nor the report, which comes after them.
 */
export const INSTANCE_DRILL_SCHEDULES: Readonly<Record<DatabaseName, ScheduleDefinition>> = {
  billing: { expression: 'cron(0 11 10 1,4,7,10 ? *)', periodMinutes: 90 * DAY_MINUTES, maximumAgeMinutes: 60 },
  main: { expression: 'cron(0 11 11 1,4,7,10 ? *)', periodMinutes: 90 * DAY_MINUTES, maximumAgeMinutes: 60 },
};

/** Sizes and ratios are gauges: five minutes is the resolution at which the alarms look at them. */
export const COLLECTOR_SCHEDULE: ScheduleDefinition = {
  expression: 'rate(5 minutes)',
  periodMinutes: 5,
  maximumAgeMinutes: 4,
};

/** Often enough that three failures in a row page within 20 minutes; each is one event of the ledger, for a week. */
export const CANARY_SCHEDULE: ScheduleDefinition = {
  expression: 'rate(5 minutes)',
  periodMinutes: 5,
  maximumAgeMinutes: 1,
};

/** As soon as a schedule can: an object that waits for its refresh may be granted wrongly meanwhile. */
export const REFRESH_SCHEDULE: ScheduleDefinition = {
  expression: 'rate(1 minute)',
  periodMinutes: 1,
  maximumAgeMinutes: 1,
};

/** As often as guides for payments in bitcoin promise; blocks are ten minutes apart. */
export const CONFIRMATIONS_SCHEDULE: ScheduleDefinition = {
  expression: 'rate(2 minutes)',
  periodMinutes: 2,
  maximumAgeMinutes: 1,
};

/** Daily, between two backups, when no other job uses the disk. */
export const CLEANUP_SCHEDULE: ScheduleDefinition = {
  expression: 'cron(0 5 * * ? *)',
  periodMinutes: DAY_MINUTES,
  maximumAgeMinutes: 60,
};

/**
 * Weekly and monthly maintenance of each database, on Sundays and the fifth, and the scan for card numbers on the fourth: an hour at
 * which no other job uses the disk and before the windows in which RDS may restart the instances.
 */
export const MAINTENANCE_SCHEDULES: Readonly<
  Record<DatabaseName, Readonly<Record<'weekly' | 'monthly' | 'cards', ScheduleDefinition>>>
> = {
  billing: {
    weekly: { expression: 'cron(0 8 ? * SUN *)', periodMinutes: 7 * DAY_MINUTES, maximumAgeMinutes: 60 },
    monthly: { expression: 'cron(0 7 5 * ? *)', periodMinutes: 28 * DAY_MINUTES, maximumAgeMinutes: 60 },
    cards: { expression: 'cron(0 7 4 * ? *)', periodMinutes: 28 * DAY_MINUTES, maximumAgeMinutes: 60 },
  },
  main: {
    weekly: { expression: 'cron(20 8 ? * SUN *)', periodMinutes: 7 * DAY_MINUTES, maximumAgeMinutes: 60 },
    monthly: { expression: 'cron(20 7 5 * ? *)', periodMinutes: 28 * DAY_MINUTES, maximumAgeMinutes: 60 },
    cards: { expression: 'cron(20 7 4 * ? *)', periodMinutes: 28 * DAY_MINUTES, maximumAgeMinutes: 60 },
  },
};

/** Weekly, so that each scan has a week of logs to read, in an hour at which no other job reads or writes the billing database. */
export const LOG_SCAN_SCHEDULE: ScheduleDefinition = {
  expression: 'cron(0 8 ? * SAT *)',
  periodMinutes: 7 * DAY_MINUTES,
  maximumAgeMinutes: 60,
};

/** Weekly, before the scan of the logs: it asks AWS for a minute, and a database for nothing but the record. */
export const RESIDENCY_SCHEDULE: ScheduleDefinition = {
  expression: 'cron(30 7 ? * SAT *)',
  periodMinutes: 7 * DAY_MINUTES,
  maximumAgeMinutes: 60,
};

/** After restore tests, drills and the check of indexes, which it reports on. */
export const REPORT_SCHEDULE: ScheduleDefinition = {
  expression: 'cron(0 9 6 * ? *)',
  periodMinutes: 28 * DAY_MINUTES,
  maximumAgeMinutes: 60,
};

/** Daily comparison with Stripe, at a full hour. */
export function reconciliationSchedule(hourUtc: number): ScheduleDefinition {
  return { expression: `cron(0 ${hourUtc} * * ? *)`, periodMinutes: DAY_MINUTES, maximumAgeMinutes: 60 };
}

function archiveSchedule(database: DatabaseName): ScheduleDefinition {
  const policy = BACKUP_POLICIES[database];
  return { expression: policy.cron, periodMinutes: policy.frequencyHours * 60, maximumAgeMinutes: 60 };
}
