import { COLLECTOR_METRICS } from '../../../lambdas/collector/contract';
import type { EnvironmentConfig } from '../environment-schema';
import type { AlarmDefinition } from './alarm-definition';
import { highestOf } from './alarm-metric';
import { AGE_FOR_AN_HOUR } from './job-alarms';

/** Minutes by which the copies may be behind. S3 copies most objects within seconds, and large ones within 15 minutes. */
const COPY_LIMIT_MINUTES = 60;

/** The alarms on the copies of the archives in the second region and in the backup account. */
export function copyAlarms({ secondRegion, backupAccount }: EnvironmentConfig): AlarmDefinition[] {
  return [
    ...(secondRegion === undefined ? [] : [copiesFailed('secondRegion'), regionLate(secondRegion)]),
    ...(backupAccount === undefined ? [] : [copiesFailed('backupAccount'), accountLate()]),
  ];
}

const PLACES = { secondRegion: 'the second region', backupAccount: 'the backup account' } as const;

function copiesFailed(to: keyof typeof PLACES): AlarmDefinition {
  return {
    name: to === 'secondRegion' ? 'archiveCopiesFailed' : 'accountCopiesFailed',
    measure: 'Objects that S3 gave up copying',
    unit: 'count',
    thresholds: { critical: 0 },
    comparisonOperator: 'GreaterThanThreshold',
    metric: { from: 'replication', to, name: 'OperationsFailedReplication' },
    periodSeconds: 300,
    // S3 gives up one object after the other.
    evaluationPeriods: 12,
    datapointsToAlarm: 1,
    treatMissingData: 'notBreaching',
    symptom: `S3 could not copy objects of the archives to ${PLACES[to]}, and does not try again`,
    action: `Check the role of the replication, and the bucket and key of ${PLACES[to]}; then copy what is missing.`,
    owner: 'data',
    runbookAnchor: 'archive-copies',
    consolePage: 'alarm',
  };
}

/**
 * What both alarms on late copies have in common. What S3 does not report, nobody knows to be copied. Fewer than all periods
 * would page for a new environment.
 */
const LATE = {
  ...AGE_FOR_AN_HOUR,
  measure: 'Time by which the copies are behind',
  thresholds: { warning: COPY_LIMIT_MINUTES * 60 },
  owner: 'data',
  runbookAnchor: 'archive-copies',
  consolePage: 'alarm',
} as const;

function regionLate(region: string): AlarmDefinition {
  return {
    ...LATE,
    name: 'archiveCopiesLate',
    metric: highestOf('collector', COLLECTOR_METRICS.replicationLatencySeconds),
    symptom: `The copies of the archives in ${region} are an hour behind: that much is lost with the region`,
    action: 'Compare the pending operations of the replication rule, and look at the health of S3 in both regions.',
  };
}

function accountLate(): AlarmDefinition {
  return {
    ...LATE,
    name: 'accountCopiesLate',
    metric: { from: 'replication', to: 'backupAccount', name: 'ReplicationLatency', statistic: 'Maximum' },
    symptom: 'The copies of the archives in the backup account are an hour behind: that much is lost with this account',
    action: 'Compare the pending operations of the replication rule, and look at the health of S3.',
  };
}
