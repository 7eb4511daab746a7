import { BACKUP_METRICS } from '../../../lambdas/backup/contract';
import { CLEANUP_METRICS } from '../../../lambdas/cleanup/contract';
import { COLLECTOR_METRICS, type WatchedSecret } from '../../../lambdas/collector/contract';
import { DRILL_METRICS } from '../../../lambdas/drill/contract';
import { RECONCILIATION_METRICS } from '../../../lambdas/reconciliation/contract';
import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { VERIFY_METRICS } from '../../../lambdas/verify/contract';
import type { AlarmMetric, OperationalAlarm } from './alarm';
import { BACKUP_POLICIES, SECRET_ROTATION_DAYS } from '../policies';

type Dimensions = Readonly<Record<string, string>>;

const HOUR_SECONDS = 60 * 60;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/**
 * Hours after which a job that is due is missing: for its start, its run and a retry. The last of them is the window in
 * which the age must stay above its limit. Less pages for a retry; more leaves the hour of a missing backup unknown.
 */
const GRACE_HOURS = 2;
/** Drills are monthly: the longest month, and a long weekend to look into one that did not start. */
const DRILL_LIMIT_DAYS = 35;
/** Secrets Manager rotates within the day that is due, and tries again on the next. */
const ROTATION_GRACE_DAYS = 2;
/** Cleanup is daily: one run missed, and the one after it. */
const CLEANUP_LIMIT_DAYS = 2;

const HOURLY = { periodSeconds: HOUR_SECONDS, evaluationPeriods: 1 } as const;

/** The alarm on an event that is wrong each time it happens. */
const HAPPENED = { ...HOURLY, threshold: 0, fires: 'above', silence: 'good' } as const;

/** The alarm on a verdict of the last run: it stands until the next one. */
const FOUND = { ...HAPPENED, silence: 'unchanged' } as const;

/**
 * The alarm on an age that the collector publishes. Nobody says how old something is: that is as bad as if it were too
 * old. An hour, so that a collector that stands still is heard of by its own alarm first.
 */
const TOO_OLD = { fires: 'above', periodSeconds: 300, evaluationPeriods: 12, silence: 'bad' } as const;

function metricOf(service: string, name: string, statistic: 'Sum' | 'Maximum', dimensions?: Dimensions): AlarmMetric[] {
  return [{ from: 'function', service, name, statistic, dimensions }];
}

const gaugeOf = (name: string, dimensions?: Dimensions) => metricOf('collector', name, 'Maximum', dimensions);
const countOf = (service: string, name: string, database?: DatabaseName) =>
  metricOf(service, name, 'Sum', database && { database });

/** The alarms on what runs by itself, or proves what did. */
export const JOB_ALARMS: readonly OperationalAlarm[] = [
  ...DATABASE_NAMES.flatMap(ofBackups),
  ...DATABASE_NAMES.flatMap(ofDrills),
  ...ofReconciliation(),
  ...ofCleanup(),
  ...ofCollector(),
  ...ofSecrets(),
];

function ofBackups(database: DatabaseName): OperationalAlarm[] {
  const overdueHours = BACKUP_POLICIES[database].frequencyHours + GRACE_HOURS;
  return [
    {
      ...HAPPENED,
      name: `backupFailed-${database}`,
      severity: 'warning',
      metrics: countOf('backup', BACKUP_METRICS.failed, database),
      symptom: `A backup of the ${database} database failed`,
      action: 'Read the log of the backup function; start the backup again by hand.',
      runbookAnchor: 'backup-failed',
    },
    {
      ...TOO_OLD,
      name: `backupMissing-${database}`,
      severity: 'critical',
      metrics: gaugeOf(COLLECTOR_METRICS.backupAgeSeconds, { database }),
      threshold: (overdueHours - 1) * HOUR_SECONDS,
      symptom: `The ${database} database has had no backup for ${overdueHours} hours`,
      action: 'Start a backup by hand, then find out why the schedule did not.',
      runbookAnchor: 'backup-missing',
    },
    {
      ...FOUND,
      name: `backupUnprotected-${database}`,
      severity: 'critical',
      metrics: metricOf('backup', BACKUP_METRICS.unprotectedTiers, 'Maximum', { database }),
      symptom: `Point-in-time recovery or the recovery points of the ${database} database are stale or missing`,
      action: 'See which tier the last backup report names, then the jobs of AWS Backup.',
      runbookAnchor: 'recovery-points-stale',
    },
    {
      ...HAPPENED,
      name: `backupExported-${database}`,
      severity: 'warning',
      metrics: countOf('backup', BACKUP_METRICS.exported, database),
      // Exports come hours apart: a day keeps the alarm from closing between two of them.
      periodSeconds: DAY_SECONDS,
      symptom: `The ${database} database is too large to be archived; RDS exports it instead, which brings back no rows`,
      action: 'Know that recovery now rests on RDS and AWS Backup alone; plan how to get below the streaming limit.',
      runbookAnchor: 'backup-too-large',
    },
    {
      ...FOUND,
      name: `backupHousekeepingFailed-${database}`,
      severity: 'warning',
      metrics: countOf('backup', BACKUP_METRICS.housekeepingFailed, database),
      symptom: `Expired archives of the ${database} database could not be removed; the new backup is good`,
      action: "Read the log of the backup function; check its permissions on the archive bucket and the bucket's key.",
      runbookAnchor: 'backup-housekeeping-failed',
    },
  ];
}

function ofDrills(database: DatabaseName): OperationalAlarm[] {
  return [
    {
      ...HAPPENED,
      name: `drillFailed-${database}`,
      severity: 'critical',
      metrics: countOf('drill', DRILL_METRICS.failed, database),
      symptom: `The restore drill of the ${database} database failed: its archives may be no backups`,
      action: 'Read the record of the drill; take a new backup and drill again.',
      runbookAnchor: 'restore-drill-failed',
    },
    {
      ...FOUND,
      name: `drillSlow-${database}`,
      severity: 'critical',
      metrics: metricOf('drill', DRILL_METRICS.targetPercent, 'Maximum', { database }),
      threshold: 100,
      symptom: `Restoring the ${database} database would take longer than the promised ${BACKUP_POLICIES[database].restoreTargetMinutes} minutes`,
      action: 'Recover by the instance workflow until the archive restores faster.',
      runbookAnchor: 'restore-drill-slow',
    },
    {
      ...TOO_OLD,
      name: `drillMissing-${database}`,
      severity: 'critical',
      metrics: gaugeOf(COLLECTOR_METRICS.drillAgeSeconds, { database }),
      threshold: DRILL_LIMIT_DAYS * DAY_SECONDS,
      symptom: `For ${DRILL_LIMIT_DAYS} days no restore drill has proven the archives of the ${database} database`,
      action: 'Start a drill by hand, then find out why the schedule did not.',
      runbookAnchor: 'restore-drill-missing',
    },
    {
      ...HAPPENED,
      name: `verifyFailed-${database}`,
      severity: 'critical',
      metrics: countOf('verify', VERIFY_METRICS.failed, database),
      symptom: `A ${database} database was verified and is not sound, or could not be verified`,
      action:
        'Read in the log of the verify function which database it was and what is wrong with it; cut nothing over.',
      runbookAnchor: 'verification-failed',
    },
  ];
}

function ofReconciliation(): OperationalAlarm[] {
  const overdueHours = 24 + GRACE_HOURS;
  return [
    {
      ...HAPPENED,
      name: 'reconciliationFailed',
      severity: 'warning',
      metrics: countOf('reconciliation', RECONCILIATION_METRICS.failed),
      symptom: 'A reconciliation with Stripe failed; what it got to is corrected',
      action: "Read the log of the reconciliation function, check Stripe's status and the API key; run it again.",
      runbookAnchor: 'reconciliation-failed',
    },
    {
      ...TOO_OLD,
      name: 'reconciliationMissing',
      severity: 'critical',
      metrics: gaugeOf(COLLECTOR_METRICS.reconciliationAgeSeconds),
      threshold: (overdueHours - 1) * HOUR_SECONDS,
      symptom: `For ${overdueHours} hours no reconciliation with Stripe has been completed: lost events stay lost`,
      action: 'Run it by hand until it answers `complete`, then find out why the schedule did not.',
      runbookAnchor: 'reconciliation-missing',
      appliesTo: ({ reconciliation }) => reconciliation.enabled,
    },
    {
      ...FOUND,
      name: 'reconciliationDrift',
      severity: 'warning',
      metrics: countOf('reconciliation', RECONCILIATION_METRICS.driftDetected),
      symptom: 'The last reconciliation found subscriptions or purchases that differ from Stripe, and corrected them',
      action: 'Look at the findings of the run: one kind in numbers points to a fault of ours.',
      runbookAnchor: 'reconciliation-found-drift',
    },
    {
      ...FOUND,
      name: 'eventsMissed',
      severity: 'warning',
      metrics: countOf('reconciliation', RECONCILIATION_METRICS.missedEvents),
      symptom: 'The last reconciliation found Stripe events that never arrived, and applied them',
      action: 'Check in the Stripe dashboard that the endpoint is enabled and what its deliveries were answered.',
      runbookAnchor: 'events-missed',
    },
  ];
}

function ofCleanup(): OperationalAlarm[] {
  return [
    {
      ...HAPPENED,
      name: 'cleanupFailed',
      severity: 'warning',
      metrics: countOf('cleanup', CLEANUP_METRICS.failed),
      symptom: 'The deletion of old events failed; the next run goes on',
      action: 'Read the log of the cleanup function. If it fails again tomorrow, run it by hand.',
      runbookAnchor: 'cleanup-failed',
    },
    {
      ...TOO_OLD,
      name: 'cleanupOverdue',
      severity: 'warning',
      metrics: gaugeOf(COLLECTOR_METRICS.cleanupOverdueSeconds),
      threshold: CLEANUP_LIMIT_DAYS * DAY_SECONDS,
      symptom: `Events lie in the ledger ${CLEANUP_LIMIT_DAYS} days past their retention: cleanup does not run, or does not keep up`,
      action: 'Run the cleanup by hand, then find out why the schedule did not.',
      runbookAnchor: 'cleanup-overdue',
    },
  ];
}

function ofCollector(): OperationalAlarm[] {
  const { succeeded, failed } = COLLECTOR_METRICS;
  return [
    {
      name: 'collectorMissing',
      severity: 'critical',
      metrics: [...countOf('collector', succeeded), ...countOf('collector', failed)],
      threshold: 1,
      fires: 'below',
      periodSeconds: 300,
      evaluationPeriods: 3,
      silence: 'bad',
      symptom: 'The collector has not run for 15 minutes: nobody knows how old backups, drills and reconciliations are',
      action:
        'Read the log of the collector function and invoke it by hand. The alarms on ages follow within the hour.',
      runbookAnchor: 'collector-missing',
    },
    {
      ...HAPPENED,
      name: 'collectorIncomplete',
      severity: 'warning',
      metrics: countOf('collector', failed),
      periodSeconds: 300,
      // A database that fails over takes a minute or two.
      evaluationPeriods: 3,
      symptom: 'For 15 minutes the collector could not measure everything',
      action: 'The log of the collector function names what, and why: a database, RDS, S3 or Secrets Manager.',
      runbookAnchor: 'collector-incomplete',
    },
  ];
}

function ofSecrets(): OperationalAlarm[] {
  const ageOf = (secret: WatchedSecret) => gaugeOf(COLLECTOR_METRICS.secretAgeSeconds, { secret });
  return [
    ...DATABASE_NAMES.map((database): OperationalAlarm => ({
      ...TOO_OLD,
      name: `passwordNotRotated-${database}`,
      severity: 'warning',
      metrics: ageOf(`${database}-database`),
      threshold: (SECRET_ROTATION_DAYS + ROTATION_GRACE_DAYS) * DAY_SECONDS,
      symptom: `The password of the ${database} database was not rotated within ${SECRET_ROTATION_DAYS} days`,
      action: 'Rotate the secret by hand and read the log of its rotation function.',
      runbookAnchor: 'password-not-rotated',
    })),
    ...(['api', 'signing'] as const).map((secret): OperationalAlarm => ({
      ...TOO_OLD,
      name: `stripeSecretOld-${secret}`,
      severity: 'warning',
      metrics: ageOf(`stripe-${secret}`),
      threshold: SECRET_ROTATION_DAYS * DAY_SECONDS,
      symptom: `Stripe's ${secret === 'api' ? 'API key' : 'signing secret'} is older than ${SECRET_ROTATION_DAYS} days; Stripe rolls it only by hand`,
      action: 'Roll it in the Stripe dashboard and put the new value into the secret.',
      runbookAnchor: 'stripe-secret-old',
    })),
  ];
}
