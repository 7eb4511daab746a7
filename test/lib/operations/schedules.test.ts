import { GRACE_HOURS, RECORDED_JOB_LIMIT_MINUTES } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import {
  ARCHIVE_SCHEDULES,
  CLEANUP_SCHEDULE,
  COLLECTOR_SCHEDULE,
  REFRESH_SCHEDULE,
  reconciliationSchedule,
} from '../../../lib/config/schedules';

test.each([
  ['billing archives', ARCHIVE_SCHEDULES.billing, 360],
  ['main archives', ARCHIVE_SCHEDULES.main, 1440],
  ['the collector', COLLECTOR_SCHEDULE, 5],
  ['reconciliation', reconciliationSchedule(2), 1440],
])('a late start of %s is given up before the next is due', (_, schedule, periodMinutes) => {
  expect(schedule.periodMinutes).toBe(periodMinutes);
  expect(schedule.maximumAgeMinutes).toBeGreaterThanOrEqual(1);
  expect(schedule.maximumAgeMinutes).toBeLessThan(periodMinutes);
});

test.each(['billing', 'main'] as const)('the hours of the %s policy are as far apart as its frequency', (database) => {
  const { cron, frequencyHours } = BACKUP_POLICIES[database];
  const hours = (/^cron\(0 ([\d,]+) \* \* \? \*\)$/.exec(cron)?.[1] ?? '').split(',').map(Number);
  expect(hours).toHaveLength(24 / frequencyHours);
  const gaps = hours.map((hour, index) => ((hours[index + 1] ?? (hours[0] ?? 0) + 24) - hour + 24) % 24 || 24);
  expect(new Set(gaps)).toEqual(new Set([frequencyHours]));
});

test('a job that records its success is late once several runs did not succeed, or a daily one is out of its grace', () => {
  const { collector, refresh, cleanup } = RECORDED_JOB_LIMIT_MINUTES;
  expect(collector).toBe(3 * COLLECTOR_SCHEDULE.periodMinutes);
  expect(refresh).toBe(5 * REFRESH_SCHEDULE.periodMinutes);
  expect(cleanup).toBe(CLEANUP_SCHEDULE.periodMinutes + GRACE_HOURS * 60);
});
