import { alarmsOfTemplate } from './alarm-support';
import { contractMetrics } from './contract-metrics';

const alarms = Object.values(alarmsOfTemplate('bitcoin', 'production'));

/** Metrics without an alarm, each with the reason. */
const UNALARMED: Readonly<Record<string, string>> = {
  // Failures that are reported in another way.
  EventsReplayFailed: 'the operator gets the failed events as the answer',
  ReplayFailed: 'the operator gets the error; an asynchronous request ends in the failure queue, which has an alarm',
  RestoreFailed: 'the operator gets the error; an asynchronous request ends in the failure queue, which has an alarm',
  RowRecoveryFailed:
    'the operator gets the error; an asynchronous request ends in the failure queue, which has an alarm',
  EntitlementsFailed:
    'the operator gets the error; an asynchronous request ends in the failure queue, which has an alarm',
  RefreshFailed: 'the next run, a minute later, replaces it; what waits too long raises the alarm on its age',
  ObjectRefreshesFailed: 'it is tried again; one that keeps failing raises the alarm on its age',
  ReconciliationInterrupted: 'the next invocation continues; one that never completes raises the alarm on its age',
  PointInTimeAge: 'the function compares it with the policy and publishes `UnprotectedTiers`',
  RecoveryPointAge: 'the function compares it with the policy and publishes `UnprotectedTiers`',
  EventsParked: 'the alarm is on the queue itself, where a message stays until an operator moves it',
  CanaryFailed: 'it counts also runs without a secret; the alarms are on its successes and on lost events',
  // Successes.
  BackupSucceeded: 'a missing backup raises the alarm on its age',
  CleanupSucceeded: 'a missing cleanup raises the alarm on overdue events',
  MaintenanceSucceeded: 'a task that is late raises the alarm on that',
  DrillSucceeded: 'a missing drill raises the alarm on its age',
  ReconciliationSucceeded: 'a missing reconciliation raises the alarm on its age',
  RestoreSucceeded: 'counts successes',
  RowRecoverySucceeded: 'counts successes',
  VerifySucceeded: 'counts successes',
  EventsProcessed: 'counts successes',
  EventsReplayed: 'counts successes',
  ObjectsRefreshed: 'counts successes',
  WebhookIgnored: 'Stripe sends the other mode to an endpoint for connected accounts by design',
  ApiRequests: 'counts successes',
  // Amounts and durations, for the dashboard.
  ProbesFailed: 'a collection with any raises the alarm on incomplete ones',
  ConnectionsByRole: 'a measure; the share that is used raises the alarm',
  EventBacklog: 'a measure; the age of the queue and what is parked raise alarms',
  TablesBehindVacuum: 'a measure; maintenance vacuums weekly, and the report names what it could not',
  StatementLoad: 'a measure; CPU, connections and the round trip of events raise alarms',
  SlowestStatementMean: 'a measure; a backup is slow by design, and the log names the statement',
  TransactionIdAge: "a measure; on RDS the alarm is on AWS's own metric, which knows every database of the instance",
  BackupDuration: 'a measure; a backup that is too slow fails by its timeout',
  BackupBytes: 'a measure',
  DatabaseSizeBytes: 'a measure; off RDS, the share of the disk is computed from it',
  BackupCompressedBytes: 'a measure',
  ExpiredArchives: 'a measure',
  SweptLeftovers: 'a measure',
  CleanupDuration: 'a measure',
  ConfirmationsDuration: 'a measure; a run that is too slow continues in the next one',
  EventsDeleted: 'a measure',
  BloatBytes: 'a measure; the monthly report asks what to do about it',
  IndexFindings: 'a measure; the monthly report asks what to do about each',
  MaintenanceDuration: 'a measure',
  DrillDuration: 'a measure; `DrillTargetPercent` compares it with the target',
  BackupUnrecordedSchemaChanges: 'the report of the backup; a schema may be changed by hand on purpose',
  EntitlementsChanged: 'a measure',
  EntitlementsDuration: 'a measure',
  EventsDeferred: 'an event that waits for a lock is tried again; the age of the queue shows one that waits for long',
  EventsDuplicate: 'a measure: Stripe may deliver an event twice at any time',
  EventLag: 'a measure that includes how late Stripe delivers; the age of the queue shows what waits here',
  WebhookProcessed: 'a measure, by status',
  SubscriptionCreated: 'a measure',
  SubscriptionCanceled: 'a measure',
  ReconciliationDuration: 'a measure',
  RefreshDuration: 'a measure',
  RestoreDuration: 'a measure',
  RowRecoveryMergedRows: 'a measure',
  VerifyDuration: 'a measure',
};

test('every metric of every contract has an alarm, or is listed with the reason why not', () => {
  const text = JSON.stringify(alarms);
  const isAlarmed = (metric: string) => text.includes(`"MetricName":"${metric}"`);
  const names = [...new Set(contractMetrics().map(({ name }) => name))];
  expect(names.length).toBeGreaterThan(50);
  const unknown = names.filter((name) => !isAlarmed(name) && !(name in UNALARMED));
  // Give a new metric an alarm in `lib/config/alarms/`, or say above why it needs none.
  expect(unknown).toEqual([]);
  expect(Object.keys(UNALARMED).filter((name) => !names.includes(name) || isAlarmed(name))).toEqual([]);
});
