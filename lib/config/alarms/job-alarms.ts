import { BACKUP_METRICS } from '../../../lambdas/backup/contract';
import { CLEANUP_METRICS } from '../../../lambdas/cleanup/contract';
import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import { DRILL_METRICS } from '../../../lambdas/drill/contract';
import { RECONCILIATION_METRICS } from '../../../lambdas/reconciliation/contract';
import { VERIFY_METRICS } from '../../../lambdas/verify/contract';
import {
  DATABASE_NAMES,
  DRILL_LIMIT_DAYS,
  GRACE_HOURS,
  RECONCILIATION_LIMIT_HOURS,
  type DatabaseName,
} from '../../../core/contract';
import type { EnvironmentConfig } from '../environment-schema';
import { BACKUP_POLICIES } from '../policies';
import type { AlarmDefinition } from './alarm-definition';
import { countOf, highestOf, sumOf } from './alarm-metric';

const HOUR_SECONDS = 60 * 60;
/** Seconds of a day. */
export const DAY_SECONDS = 24 * HOUR_SECONDS;

/** Cleanup is daily: one missed run, and the one after it. */
const CLEANUP_LIMIT_DAYS = 2;

/** An event that is wrong each time it happens. */
export const ANY_WITHIN_AN_HOUR = {
  unit: 'count',
  comparisonOperator: 'GreaterThanThreshold',
  periodSeconds: HOUR_SECONDS,
  evaluationPeriods: 1,
  treatMissingData: 'notBreaching',
} as const;

/** A finding of the last run: the alarm stays until the next run reports that it is gone. */
export const FOUND_BY_LAST_RUN = { ...ANY_WITHIN_AN_HOUR, treatMissingData: 'ignore' } as const;

/** An age that the collector publishes; unknown is as bad as too old. A collector that stopped alarms within the hour. */
export const AGE_FOR_AN_HOUR = {
  unit: 's',
  comparisonOperator: 'GreaterThanThreshold',
  periodSeconds: 300,
  evaluationPeriods: 12,
  treatMissingData: 'breaching',
} as const;

/** The alarms on the jobs that run by themselves, and on what they prove. */
export function jobAlarms(config: EnvironmentConfig): AlarmDefinition[] {
  return [
    ...DATABASE_NAMES.flatMap(backupAlarms),
    ...DATABASE_NAMES.flatMap(backupConditionAlarms),
    ...DATABASE_NAMES.flatMap(drillAlarms),
    ...DATABASE_NAMES.map(verificationAlarm),
    ...reconciliationAlarms(config),
    ...reconciliationFindingAlarms(),
    ...cleanupAlarms(),
    ...collectorAlarms(),
  ];
}

function backupAlarms(database: DatabaseName): AlarmDefinition[] {
  const overdueHours = BACKUP_POLICIES[database].frequencyHours + GRACE_HOURS;
  return [
    {
      ...ANY_WITHIN_AN_HOUR,
      name: `backupFailed-${database}`,
      measure: 'Failed backups',
      thresholds: { warning: 0 },
      metric: countOf('backup', BACKUP_METRICS.failed, { database }),
      symptom: `A backup of the ${database} database failed`,
      action: 'Read the log of the backup function; start the backup again by hand.',
      owner: 'data',
      runbookAnchor: 'backup-failed',
      consolePage: { functionOf: 'backup' },
    },
    {
      ...AGE_FOR_AN_HOUR,
      name: `backupMissing-${database}`,
      measure: 'Age of the newest archive',
      thresholds: { critical: (overdueHours - 1) * HOUR_SECONDS },
      metric: highestOf('collector', COLLECTOR_METRICS.backupAgeSeconds, { database }),
      symptom: `The ${database} database has had no backup for ${overdueHours} hours`,
      action: 'Start a backup by hand, then find out why the schedule did not start one.',
      owner: 'data',
      runbookAnchor: 'backup-missing',
      consolePage: { functionOf: 'backup' },
    },
    {
      ...FOUND_BY_LAST_RUN,
      name: `backupHousekeepingFailed-${database}`,
      measure: 'Failed removals of expired archives',
      thresholds: { warning: 0 },
      metric: countOf('backup', BACKUP_METRICS.housekeepingFailed, { database }),
      symptom: `Expired archives of the ${database} database could not be removed; the new backup is good`,
      action: "Read the log of the backup function; check its permissions on the archive bucket and the bucket's key.",
      owner: 'data',
      runbookAnchor: 'backup-housekeeping-failed',
      consolePage: { functionOf: 'backup' },
    },
  ];
}

function backupConditionAlarms(database: DatabaseName): AlarmDefinition[] {
  return [
    {
      ...FOUND_BY_LAST_RUN,
      name: `backupUnprotected-${database}`,
      measure: 'Backup tiers that are stale or missing',
      thresholds: { critical: 0 },
      metric: highestOf('backup', BACKUP_METRICS.unprotectedTiers, { database }),
      symptom: `Point-in-time recovery or the recovery points of the ${database} database are stale or missing`,
      action: 'See which tier the last backup report names, then the jobs of AWS Backup.',
      owner: 'data',
      runbookAnchor: 'recovery-points-stale',
      consolePage: 'backupJobs',
    },
    {
      ...FOUND_BY_LAST_RUN,
      name: `backupIncomplete-${database}`,
      measure: 'Objects that the last archive does not carry',
      thresholds: { warning: 0 },
      metric: highestOf('backup', BACKUP_METRICS.omissions, { database }),
      symptom: `The archives of the ${database} database lack objects, which a restore cannot bring back`,
      action: 'Read which ones in the last backup report, and write down how each is made again.',
      owner: 'data',
      runbookAnchor: 'backup-incomplete',
      consolePage: { functionOf: 'backup' },
    },
    {
      ...ANY_WITHIN_AN_HOUR,
      name: `backupExported-${database}`,
      measure: 'Backups made as an RDS export instead of an archive',
      thresholds: { warning: 0 },
      metric: countOf('backup', BACKUP_METRICS.exported, { database }),
      // Exports are hours apart: a day keeps the alarm from closing between two of them.
      periodSeconds: DAY_SECONDS,
      symptom: `The ${database} database is too large to be archived; RDS exports it instead, from which no rows can be recovered`,
      action:
        'Until it is below the streaming limit again, recovery depends on RDS and AWS Backup alone: plan for that.',
      owner: 'data',
      runbookAnchor: 'backup-too-large',
      consolePage: { functionOf: 'backup' },
    },
  ];
}

function drillAlarms(database: DatabaseName): AlarmDefinition[] {
  const { restoreTargetMinutes } = BACKUP_POLICIES[database];
  return [
    {
      ...ANY_WITHIN_AN_HOUR,
      name: `drillFailed-${database}`,
      measure: 'Failed restore drills',
      thresholds: { critical: 0 },
      metric: countOf('drill', DRILL_METRICS.failed, { database }),
      symptom: `The restore drill of the ${database} database failed: its archives may be useless`,
      action: 'Read the record of the drill; take a new backup and drill again.',
      owner: 'data',
      runbookAnchor: 'restore-drill-failed',
      consolePage: { functionOf: 'drill' },
    },
    {
      ...FOUND_BY_LAST_RUN,
      name: `drillSlow-${database}`,
      measure: 'Duration of the last drill, as a share of the target,',
      unit: '%',
      thresholds: { critical: 100 },
      metric: highestOf('drill', DRILL_METRICS.targetPercent, { database }),
      symptom: `Restoring the ${database} database would take longer than the promised ${restoreTargetMinutes} minutes`,
      action: 'Recover by the instance workflow until the archive restores faster.',
      owner: 'data',
      runbookAnchor: 'restore-drill-slow',
      consolePage: { functionOf: 'drill' },
    },
    {
      ...FOUND_BY_LAST_RUN,
      name: `drillFindings-${database}`,
      measure: 'Objects that the last drill did not restore as archived',
      thresholds: { warning: 0 },
      metric: highestOf('drill', DRILL_METRICS.findings, { database }),
      symptom: `The last restore drill of the ${database} database did not restore all of the schema as archived, or a pending migration failed on it`,
      action:
        'Read each in `ops logs drill`, or `ops logs restore` for a drill in parts. Deploy a corrected migration; write down how to make by hand what the server refused.',
      owner: 'data',
      runbookAnchor: 'restore-drill-findings',
      consolePage: { functionOf: 'drill' },
    },
    {
      ...AGE_FOR_AN_HOUR,
      name: `drillMissing-${database}`,
      measure: 'Age of the last drill that passed',
      thresholds: { critical: DRILL_LIMIT_DAYS * DAY_SECONDS },
      metric: highestOf('collector', COLLECTOR_METRICS.drillAgeSeconds, { database }),
      symptom: `No restore drill has proven the archives of the ${database} database for ${DRILL_LIMIT_DAYS} days`,
      action: 'Start a drill by hand, then find out why the schedule did not start one.',
      owner: 'data',
      runbookAnchor: 'restore-drill-missing',
      consolePage: { functionOf: 'drill' },
    },
  ];
}

function verificationAlarm(database: DatabaseName): AlarmDefinition {
  return {
    ...ANY_WITHIN_AN_HOUR,
    name: `verifyFailed-${database}`,
    measure: 'Failed verifications',
    thresholds: { critical: 0 },
    metric: countOf('verify', VERIFY_METRICS.failed, { database }),
    symptom: `A ${database} database did not pass verification, or could not be verified`,
    action:
      'The log of the verify function names the database and each problem. Do not cut over to it before you know which it is.',
    owner: 'data',
    runbookAnchor: 'verification-failed',
    consolePage: { functionOf: 'verify' },
  };
}

function reconciliationAlarms({ reconciliation }: EnvironmentConfig): AlarmDefinition[] {
  const missing: AlarmDefinition = {
    ...AGE_FOR_AN_HOUR,
    name: 'reconciliationMissing',
    measure: 'Age of the last complete reconciliation',
    thresholds: { critical: (RECONCILIATION_LIMIT_HOURS - 1) * HOUR_SECONDS },
    metric: highestOf('collector', COLLECTOR_METRICS.reconciliationAgeSeconds),
    symptom: `No reconciliation with Stripe has completed for ${RECONCILIATION_LIMIT_HOURS} hours: lost events stay lost`,
    action: 'Run it by hand until it answers `complete`, then find out why the schedule did not start it.',
    owner: 'billing',
    runbookAnchor: 'reconciliation-missing',
    consolePage: { functionOf: 'reconciliation' },
  };
  return [
    {
      ...ANY_WITHIN_AN_HOUR,
      name: 'reconciliationFailed',
      measure: 'Failed reconciliations',
      thresholds: { warning: 0 },
      metric: countOf('reconciliation', RECONCILIATION_METRICS.failed),
      symptom: 'A reconciliation with Stripe failed; its corrections up to then are kept',
      action: "Read the log of the reconciliation function, check Stripe's status and the API key; run it again.",
      owner: 'billing',
      runbookAnchor: 'reconciliation-failed',
      consolePage: { functionOf: 'reconciliation' },
    },
    ...(reconciliation.enabled ? [missing] : []),
  ];
}

function reconciliationFindingAlarms(): AlarmDefinition[] {
  return [
    {
      ...FOUND_BY_LAST_RUN,
      name: 'reconciliationDrift',
      measure: 'Differences found by the last reconciliation',
      thresholds: { warning: 0 },
      metric: countOf('reconciliation', RECONCILIATION_METRICS.driftDetected),
      symptom: 'The last reconciliation found objects or entitlements that differ from Stripe, and corrected them',
      action: 'Look at the findings of the run: many of one kind point to a bug on our side.',
      owner: 'billing',
      runbookAnchor: 'reconciliation-found-drift',
      consolePage: { functionOf: 'reconciliation' },
    },
    {
      ...FOUND_BY_LAST_RUN,
      name: 'eventsMissed',
      measure: 'Missed events found by the last reconciliation',
      thresholds: { warning: 0 },
      metric: countOf('reconciliation', RECONCILIATION_METRICS.missedEvents),
      symptom: 'The last reconciliation found events that never arrived, and applied them',
      action:
        'Check in the dashboard of the payment provider that the endpoint is enabled, and how its deliveries were answered.',
      owner: 'billing',
      runbookAnchor: 'events-missed',
      consolePage: { functionOf: 'webhook' },
    },
  ];
}

function cleanupAlarms(): AlarmDefinition[] {
  return [
    {
      ...ANY_WITHIN_AN_HOUR,
      name: 'cleanupFailed',
      measure: 'Failed cleanups',
      thresholds: { warning: 0 },
      metric: countOf('cleanup', CLEANUP_METRICS.failed),
      symptom: 'Old events could not be deleted; the next run continues',
      action: 'Read the log of the cleanup function. If it fails again tomorrow, run it by hand.',
      owner: 'data',
      runbookAnchor: 'cleanup-failed',
      consolePage: { functionOf: 'cleanup' },
    },
    {
      ...AGE_FOR_AN_HOUR,
      name: 'cleanupOverdue',
      measure: 'Time that the oldest event is past its retention',
      thresholds: { warning: CLEANUP_LIMIT_DAYS * DAY_SECONDS },
      metric: highestOf('collector', COLLECTOR_METRICS.cleanupOverdueSeconds),
      symptom: `The ledger holds events ${CLEANUP_LIMIT_DAYS} days past their retention: cleanup does not run, or does not keep up`,
      action: 'Run the cleanup by hand, then find out why the schedule did not start it.',
      owner: 'data',
      runbookAnchor: 'cleanup-overdue',
      consolePage: { functionOf: 'cleanup' },
    },
  ];
}

function collectorAlarms(): AlarmDefinition[] {
  const succeeded = countOf('collector', COLLECTOR_METRICS.succeeded);
  const failed = countOf('collector', COLLECTOR_METRICS.failed);
  // A database that fails over is away for a minute or two.
  const quarterOfAnHour = { periodSeconds: 300, evaluationPeriods: 3 } as const;
  return [
    {
      ...quarterOfAnHour,
      name: 'collectorMissing',
      measure: 'Runs of the collector in 5 minutes',
      unit: 'count',
      thresholds: { critical: 1 },
      comparisonOperator: 'LessThanThreshold',
      metric: sumOf('collectorMissing', [succeeded, failed]),
      treatMissingData: 'breaching',
      symptom:
        'The collector has not run for 15 minutes: the ages of backups, drills, reconciliations and secrets are unknown',
      action:
        'Read the log of the collector function and invoke it by hand. The alarms on ages follow within the hour.',
      owner: 'platform',
      runbookAnchor: 'collector-missing',
      consolePage: { functionOf: 'collector' },
    },
    {
      ...ANY_WITHIN_AN_HOUR,
      ...quarterOfAnHour,
      name: 'collectorIncomplete',
      measure: 'Incomplete runs of the collector in 5 minutes',
      thresholds: { warning: 0 },
      metric: failed,
      symptom: 'The collector could not measure everything for 15 minutes',
      action: 'The log of the collector function names what failed, and why: a database, RDS, S3 or Secrets Manager.',
      owner: 'platform',
      runbookAnchor: 'collector-incomplete',
      consolePage: { functionOf: 'collector' },
    },
  ];
}
