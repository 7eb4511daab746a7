import type { Severity } from '../../../../lib/config/alarms/alarm-definition';
import { DATABASE_NAMES } from '../../../../core/contract';
import type { Emitter } from '../cloudwatch/samples';
import {
  BUSY,
  every,
  ofDatabaseLog,
  FAILURE_QUEUES,
  failureQueue,
  nothing,
  ofApi,
  ofFirewall,
  ofFunction,
  ofInstance,
  ofLambda,
  ofQueue,
  REPLICATION,
  storedQueue,
} from './published';
import { metricKey } from '../cloudwatch/samples';

/** The fault that an alarm is for. */
export interface Failure {
  /** Last part of the alarm's name. */
  readonly alarm: string;
  /** The fault, in words. */
  readonly fault: string;
  /** What is published instead, from minute 0 on. */
  readonly published: Readonly<Record<string, Emitter>>;
  /** Minutes within which the alarm has to be raised. */
  readonly within: number;
}

const HOUR = 3_600;
const DAY = 24 * HOUR;
const CARDS_IN_LOGS = ofFunction('maintenance', 'CardNumbersInLogs', { database: 'billing' });

/** Once, in the minute after the beginning. */
const once =
  (value = 1): Emitter =>
  (minute) =>
    minute === 1 ? { value } : undefined;
const each = (value: number, count?: number): Emitter => every(1, value, count);
const run = (value: number): Emitter => every(5, value);

/** A fault with a size for each severity. */
function pair(
  name: string,
  fault: string,
  sizes: Readonly<Record<Severity, number>>,
  within: number | Readonly<Record<Severity, number>>,
  published: (size: number) => Readonly<Record<string, Emitter>>,
): Failure[] {
  return (['warning', 'critical'] as const).map((severity) => ({
    alarm: `${name}-${severity}`,
    fault: fault.replace('…', String(sizes[severity])),
    within: typeof within === 'number' ? within : within[severity],
    published: published(sizes[severity]),
  }));
}

function single(alarm: string, fault: string, within: number, key: string, emit: Emitter): Failure {
  return { alarm, fault, within, published: { [key]: emit } };
}

/** For each alarm of the production environment, the fault that has to raise it. */
export const FAILURES: readonly Failure[] = [
  ...eventFailures(),
  ...edgeFailures(),
  ...databaseFailures(),
  ...DATABASE_NAMES.flatMap(jobFailuresOf),
  ...jobFailures(),
  ...peopleFailures(),
];

function eventFailures(): Failure[] {
  const queue = (name: string) => ofQueue('ApproximateNumberOfMessagesVisible', name);
  return [
    ...pair('webhookFailures', '… % of the deliveries are refused', { warning: 7, critical: 12 }, 15, (percent) => ({
      [ofFunction('webhook', 'WebhookRejected')]: each(1, (BUSY * percent) / 100),
    })),
    ...pair('queryLatency', 'round trips to the database take … ms', { warning: 600, critical: 1200 }, 15, (ms) => ({
      [ofFunction('processor', 'QueryDuration')]: each(ms, 2 * BUSY),
    })),
    ...pair(
      'webhookDelivery',
      '… % of the deliveries are answered 5xx',
      { warning: 2, critical: 20 },
      45,
      (percent) => ({
        [ofApi('5XXError', true)]: each(percent / 100, BUSY),
      }),
    ),
    ...pair('webhookAnswer', 'deliveries are answered after … ms', { warning: 3000, critical: 6000 }, 15, (ms) => ({
      [ofApi('Latency', true)]: each(ms, BUSY),
    })),
    ...pair(
      'apiFailed',
      '… requests in a minute crash the API, or are answered 503',
      { warning: 2, critical: 20 },
      10,
      // Either half alone is not above the critical threshold.
      (failed) => ({
        [ofLambda('api', 'Errors')]: each(1, failed / 2),
        [ofFunction('api', 'ApiFailed')]: each(1, failed / 2),
      }),
    ),
    single('throttled-api', 'the instances of the API are all at work', 10, ofLambda('api', 'Throttles'), once()),
    single('apiKeysRejected', 'a client asks with a wrong key', 10, ofFunction('api', 'ApiKeysRejected'), each(1, 60)),
    ...pair('responseTime', 'deliveries are answered after … ms', { warning: 600, critical: 1100 }, 15, (ms) => ({
      [ofApi('Latency')]: each(ms, BUSY),
    })),
    ...pair(
      'eventQueueAge',
      'nothing takes events from the queue',
      { warning: 0, critical: 0 },
      { warning: 30, critical: 50 },
      () => ({
        [ofQueue('ApproximateAgeOfOldestMessage', storedQueue('events'))]: (minute) => ({ value: 60 * minute }),
      }),
    ),
    single('webhookErrors', 'a delivery cannot be queued', 5, ofFunction('webhook', 'WebhookFailed'), once()),
    {
      alarm: 'webhooksAllRefused',
      fault: 'every one of few deliveries is refused',
      within: 6 * 60 + 15,
      published: {
        [ofFunction('webhook', 'WebhookReceived')]: every(60, 1),
        [ofFunction('webhook', 'WebhookRejected')]: every(60, 1),
      },
    },
    single('processorErrors', 'a batch fails as a whole', 5, ofLambda('processor', 'Errors'), once()),
    single('throttled-webhook', 'a start of the webhook is refused', 5, ofLambda('webhook', 'Throttles'), once()),
    single('throttled-processor', 'a start of the processor is refused', 5, ofLambda('processor', 'Throttles'), once()),
    single('eventsParked', 'an event is parked', 5, queue(storedQueue('parked')), each(1)),
    single('apiVersionDrift', 'an event has another version', 5, ofFunction('processor', 'ApiVersionDrift'), once()),
    single(
      'accountsRestricted',
      'an account is restricted',
      5,
      ofFunction('processor', 'ConnectAccountsRestricted'),
      once(),
    ),
    single('cacheUnavailable', 'the cache does not answer', 5, ofFunction('processor', 'CacheUnavailable'), each(1)),
    single('canaryFailed', 'test events do not arrive', 20, ofFunction('canary', 'CanarySucceeded'), nothing),
    single('canaryLost', 'every other event is lost', 20, ofFunction('canary', 'CanaryLost'), every(10, 1)),
    single('canarySlow', 'test events take 40 s', 20, ofFunction('canary', 'CanaryLatency'), run(40_000)),
    single('refreshOverdue', 'an object waits for 20 minutes', 20, ofFunction('collector', 'RefreshAge'), run(20 * 60)),
    single('payoutsFailed', 'a bank returns a payout', 20, ofFunction('collector', 'PayoutsFailed'), each(1)),
    single('payoutLate', 'a payout is three days late', 20, ofFunction('collector', 'PayoutLateness'), run(3 * 86_400)),
    ...FAILURE_QUEUES.map((stem) =>
      single(`failedStarts-${stem}`, 'a request fails for good', 5, queue(failureQueue(stem)), each(1)),
    ),
    single('eventsUndelivered', 'an event reaches no topic', 5, queue('UndeliveredF3CF66A9'), each(1)),
    ...(['AlertsCriticalD98B8922', 'AlertsWarning25141039'] as const).map((TopicName, index) =>
      single(
        index === 0 ? 'criticalAlertsUndelivered' : 'warningsUndelivered',
        'a subscriber cannot be reached',
        5,
        metricKey('AWS/SNS', 'NumberOfNotificationsFailed', { TopicName }),
        once(),
      ),
    ),
  ];
}

function edgeFailures(): Failure[] {
  return [
    ...pair('deliveriesBlocked', '… of 100 deliveries are blocked', { warning: 2, critical: 50 }, 15, (blocked) => ({
      [ofFirewall('AdmittedDeliveries')]: each(1, BUSY - blocked),
    })),
    ...pair(
      'deliveriesThrottled',
      '… of 100 deliveries are throttled',
      { warning: 6, critical: 20 },
      15,
      (refused) => ({
        [ofApi('4XXError', true)]: each(refused / 100, BUSY),
      }),
    ),
    single('archiveCopiesFailed', 'S3 gives up a copy', 5, REPLICATION, once()),
    single(
      'archiveCopiesLate',
      'copies are 70 minutes behind',
      60,
      ofFunction('collector', 'ReplicationLatency'),
      run(4_200),
    ),
  ];
}

function databaseFailures(): Failure[] {
  const main = { database: 'main' };
  return [
    ...pair('databaseSize', '… % of a disk are used', { warning: 85, critical: 95 }, 15, (percent) => ({
      [ofInstance('FreeStorageSpace', 'main')]: each(1e9 * (100 - percent)),
    })),
    ...pair('databaseCpu', 'a CPU is … % busy', { warning: 80, critical: 95 }, 35, (percent) => ({
      [ofInstance('CPUUtilization', 'main')]: each(percent),
    })),
    ...pair('databaseMemory', '… % of the memory are used', { warning: 85, critical: 95 }, 35, (percent) => ({
      [ofInstance('FreeableMemory', 'main')]: each(16e7 * (100 - percent)),
    })),
    ...pair('databaseConnections', '… % of the connections are used', { warning: 85, critical: 95 }, 20, (percent) => ({
      [ofFunction('collector', 'ConnectionsUsedPercent', main)]: run(percent),
    })),
    ...['billing', 'main'].map((database) =>
      single(
        `databaseUnreachable-${database}`,
        'the database does not answer',
        30,
        ofFunction('collector', 'ConnectionsUsedPercent', { database }),
        nothing,
      ),
    ),
    ...pair(
      'transactionIds',
      '… million transaction ids are used',
      { warning: 600, critical: 1100 },
      20,
      (millions) => ({
        [ofInstance('MaximumUsedTransactionIDs', 'main')]: each(millions * 1e6),
      }),
    ),
    single('slowStatements', 'an index is missing', 25, ofDatabaseLog('SlowStatements', 'main'), each(1, 15)),
    single('schemaChangedByHand', 'someone adds a column', 5, ofDatabaseLog('SchemaChangesByHand', 'main'), once()),
    single('privilegesChangedByHand', 'someone grants', 5, ofDatabaseLog('PrivilegeChangesByHand', 'main'), once()),
    single('adminLoginByHand', 'someone logs in', 5, ofDatabaseLog('AdminLoginsByHand', 'billing'), once()),
    single('rowsDeletedByHand', 'someone deletes rows', 5, ofDatabaseLog('DeletionsByHand', 'billing'), once()),
    single('cardsFound-logs', 'a log has a card', 5, CARDS_IN_LOGS, once()),
    single('replicaLag-billing', 'the replica is gone', 30, ofInstance('ReplicaLag', 'billing-analytics'), nothing),
  ];
}

function jobFailuresOf(database: string): Failure[] {
  const of = (stem: string, name: string) => ofFunction(stem, name, { database });
  const overdue = database === 'billing' ? 7.5 * HOUR : 26 * HOUR;
  return [
    single(`backupFailed-${database}`, 'a backup fails', 5, of('backup', 'BackupFailed'), once()),
    single(`backupMissing-${database}`, 'no backup is made', 65, of('collector', 'BackupAge'), run(overdue)),
    single(
      `backupHousekeepingFailed-${database}`,
      'housekeeping fails',
      5,
      of('backup', 'BackupHousekeepingFailed'),
      once(),
    ),
    single(`backupUnprotected-${database}`, 'recovery points are stale', 5, of('backup', 'UnprotectedTiers'), once()),
    single(`cardsFound-${database}`, 'a scan finds a card', 5, of('maintenance', 'CardNumbersFound'), once()),
    single(`backupIncomplete-${database}`, 'an archive lacks objects', 5, of('backup', 'BackupOmissions'), once(2)),
    single(`backupExported-${database}`, 'RDS exports instead', 5, of('backup', 'BackupExported'), once()),
    single(`drillFailed-${database}`, 'a drill fails', 5, of('drill', 'DrillFailed'), once()),
    single(
      `drillSlow-${database}`,
      'a drill takes 130 % of its target',
      5,
      of('drill', 'DrillTargetPercent'),
      once(130),
    ),
    single(`drillMissing-${database}`, 'no drill is made', 65, of('collector', 'DrillAge'), run(36 * DAY)),
    single(`verifyFailed-${database}`, 'a verification fails', 5, of('verify', 'VerifyFailed'), once()),
    single(
      `passwordNotRotated-${database}`,
      'the rotation does not run',
      65,
      ofFunction('collector', 'SecretAge', { secret: `${database}-database` }),
      run(93 * DAY),
    ),
    single(
      `rotationFailed-${database}`,
      'a step of a rotation fails',
      5,
      ofLambda(`rotate-${database}`, 'Errors'),
      once(),
    ),
  ];
}

function jobFailures(): Failure[] {
  const of = (name: string) => ofFunction('reconciliation', name);
  const gauge = (name: string) => ofFunction('collector', name);
  return [
    single('reconciliationFailed', 'a reconciliation fails', 5, of('ReconciliationFailed'), once()),
    single('reconciliationMissing', 'no reconciliation completes', 65, gauge('ReconciliationAge'), run(26 * HOUR)),
    single('reconciliationDrift', 'a run finds a difference', 5, of('DriftDetected'), once()),
    single('eventsMissed', 'a run finds a lost event', 5, of('MissedEvents'), once()),
    single('maintenanceFailed', 'the monthly report fails', 5, ofFunction('maintenance', 'MaintenanceFailed'), once()),
    single(
      'maintenanceOverdue',
      'maintenance does not run',
      65,
      ofFunction('collector', 'MaintenanceOverdue', { database: 'main' }),
      run(3 * DAY),
    ),
    single('cleanupFailed', 'a cleanup fails', 5, ofFunction('cleanup', 'CleanupFailed'), once()),
    single('cleanupOverdue', 'old events stay', 65, gauge('CleanupOverdue'), run(3 * DAY)),
    {
      alarm: 'collectorMissing',
      fault: 'the collector does not run',
      within: 20,
      published: { [gauge('CollectionSucceeded')]: nothing },
    },
    single(
      'lockWait',
      'a session holds a lock',
      15,
      ofFunction('collector', 'LongestLockWait', { database: 'billing' }),
      run(300),
    ),
    single(
      'longTransaction',
      'a transaction is forgotten',
      15,
      ofFunction('collector', 'LongestTransaction', { database: 'main' }),
      run(2 * HOUR),
    ),
    ...pair('certificateExpiry', 'a certificate expires in … days', { warning: 20, critical: 5 }, 15, (days) => ({
      [ofFunction('collector', 'CertificateExpiry', { database: 'main' })]: run(days * DAY),
    })),
    {
      alarm: 'collectorIncomplete',
      fault: 'the collector cannot measure something',
      within: 20,
      published: { [gauge('CollectionSucceeded')]: nothing, [gauge('CollectionFailed')]: run(1) },
    },
    ...(['api', 'signing'] as const).map((secret) =>
      single(
        `stripeSecretOld-${secret}`,
        'the secret is not rolled',
        65,
        ofFunction('collector', 'SecretAge', { secret: `stripe-${secret}` }),
        run(91 * DAY),
      ),
    ),
  ];
}

function peopleFailures(): Failure[] {
  const gauge = (name: string) => ofFunction('collector', name);
  return [
    ...pair('failedSubscriptions', 'the payments of … % fail', { warning: 3, critical: 6 }, 60, (percent) => ({
      [gauge('FailedSubscriptionsPercent')]: run(percent),
    })),
    ...pair('disputeDue', 'evidence is due in … days', { warning: 3, critical: 0.5 }, 20, (days) => ({
      [gauge('DisputeDue')]: run(days * DAY),
    })),
    single('earlyFraudWarnings', 'a bank suspects fraud', 20, gauge('EarlyFraudWarnings'), run(1)),
    single('unownedPurchases', 'a customer paid and has nothing', 20, gauge('UnownedPurchases'), run(1)),
  ];
}
