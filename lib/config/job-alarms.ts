import { BACKUP_METRICS } from '../../lambdas/backup/contract';
import { DRILL_METRICS } from '../../lambdas/drill/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../lambdas/shared/contract';
import { BACKUP_POLICIES } from './policies';
import type { Severity } from './thresholds';

const HOUR_SECONDS = 3600;
/** Hours beyond the frequency of a backup after which it is missing: the run itself, and one retry. */
const BACKUP_GRACE_HOURS = 2;

/** An alarm on one job of one database: it failed, it was too slow, or it did not run. */
export interface JobAlarm {
  /** Last part of the alarm's name, before that of the database. */
  readonly name: 'backupFailed' | 'backupMissing' | 'backupUnprotected' | 'drillFailed' | 'drillSlow';
  readonly database: DatabaseName;
  readonly severity: Severity;
  readonly service: 'backup' | 'drill';
  /** Metrics whose sum is looked at. */
  readonly metricNames: readonly string[];
  readonly statistic: 'Sum' | 'Maximum';
  /** The alarm fires above this, or, for a job that is missing, below. */
  readonly threshold: number;
  readonly fires: 'above' | 'below';
  readonly periodSeconds: number;
  /** Periods that must all be so. */
  readonly evaluationPeriods: number;
  /**
   * What silence means. `good`: nothing happened. `bad`: the job did not run. `unchanged`: the last verdict stands until
   * the job runs again.
   */
  readonly silence: 'good' | 'bad' | 'unchanged';
  /** What is wrong, as on-call reads it. */
  readonly symptom: string;
  readonly action: string;
  /** Heading in `docs/runbook.md`. */
  readonly runbookAnchor: string;
}

/** The alarms on backups and drills, for each database. */
export const JOB_ALARMS: readonly JobAlarm[] = DATABASE_NAMES.flatMap(alarmsOf);

function alarmsOf(database: DatabaseName): JobAlarm[] {
  const { frequencyHours, restoreTargetMinutes } = BACKUP_POLICIES[database];
  const overdueHours = frequencyHours + BACKUP_GRACE_HOURS;
  const backup = { database, service: 'backup', periodSeconds: HOUR_SECONDS, evaluationPeriods: 1 } as const;
  const drill = { ...backup, service: 'drill', severity: 'critical' } as const;
  return [
    {
      ...backup,
      name: 'backupFailed',
      severity: 'warning',
      metricNames: [BACKUP_METRICS.failed],
      statistic: 'Sum',
      threshold: 0,
      fires: 'above',
      silence: 'good',
      symptom: `A backup of the ${database} database failed`,
      action: 'Read the log of the backup function; start the backup again by hand.',
      runbookAnchor: 'backup-failed',
    },
    {
      ...backup,
      name: 'backupMissing',
      severity: 'critical',
      metricNames: [BACKUP_METRICS.succeeded, BACKUP_METRICS.exported],
      statistic: 'Sum',
      threshold: 1,
      fires: 'below',
      evaluationPeriods: overdueHours,
      silence: 'bad',
      symptom: `The ${database} database has had no backup for ${overdueHours} hours`,
      action: 'Start a backup by hand, then find out why the schedule did not.',
      runbookAnchor: 'backup-missing',
    },
    {
      ...backup,
      name: 'backupUnprotected',
      severity: 'critical',
      metricNames: [BACKUP_METRICS.unprotectedTiers],
      statistic: 'Maximum',
      threshold: 0,
      fires: 'above',
      silence: 'unchanged',
      symptom: `Point-in-time recovery or the recovery points of the ${database} database are stale or missing`,
      action: 'See which tier the last backup report names, then the jobs of AWS Backup.',
      runbookAnchor: 'recovery-points-stale',
    },
    {
      ...drill,
      name: 'drillFailed',
      metricNames: [DRILL_METRICS.failed],
      statistic: 'Sum',
      threshold: 0,
      fires: 'above',
      silence: 'good',
      symptom: `The restore drill of the ${database} database failed: its archives may be no backups`,
      action: 'Read the record of the drill; take a new backup and drill again.',
      runbookAnchor: 'restore-drill-failed',
    },
    {
      ...drill,
      name: 'drillSlow',
      metricNames: [DRILL_METRICS.targetPercent],
      statistic: 'Maximum',
      threshold: 100,
      fires: 'above',
      silence: 'unchanged',
      symptom: `Restoring the ${database} database would take longer than the promised ${restoreTargetMinutes} minutes`,
      action: 'Recover by the instance workflow until the archive restores faster.',
      runbookAnchor: 'restore-drill-slow',
    },
  ];
}
