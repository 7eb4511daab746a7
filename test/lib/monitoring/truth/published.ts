import { DATABASE_NAMES, METRIC_NAMESPACE, type DatabaseName } from '../../../../core/contract';
import {
  databaseLogFilters,
  databaseLogNamespace,
  type DatabaseLogMetricName,
} from '../../../../lib/config/database-log-metrics';
import { metricKey, type Emitter, type World } from '../cloudwatch/samples';

/**
 * What everything in a healthy environment publishes, in the dimensions in which it does: functions by their contracts, AWS
 * by its guides. A metric that is not here is published by nothing.
 */

const ENVIRONMENT = 'production';
const API = `BillingOps-${ENVIRONMENT}`;
const ENDPOINT = '/api/v1/webhooks/stripe';
const HOURS = 60;
const DAYS = 24 * HOURS;

/** Events of Stripe in a minute at which the ratios of a period count. */
export const BUSY = 100;

/** A metric of the healthy environment. */
export interface Published {
  /** What publishes it: a function's stem, or a service of AWS. */
  readonly by: string;
  readonly key: string;
  readonly emit: Emitter;
}

/** Key of a metric that a function publishes. */
export function ofFunction(stem: string, name: string, dimensions: Readonly<Record<string, string>> = {}): string {
  return metricKey(METRIC_NAMESPACE, name, { environment: ENVIRONMENT, service: stem, ...dimensions });
}

/** Key of a metric of API Gateway: of the stage, or of the one method. */
export function ofApi(name: string, method = false): string {
  const stage = { ApiName: API, Stage: ENVIRONMENT };
  return metricKey('AWS/ApiGateway', name, method ? { ...stage, Method: 'POST', Resource: ENDPOINT } : stage);
}

/** Key of a metric that Lambda counts. */
export function ofLambda(stem: string, name: string): string {
  return metricKey('AWS/Lambda', name, { FunctionName: `BillingOps-${ENVIRONMENT}-${stem}` });
}

/** Key of a metric of the RDS instance of a database. */
export function ofInstance(name: string, database: string): string {
  return metricKey('AWS/RDS', name, { DBInstanceIdentifier: `billing-operations-${ENVIRONMENT}-${database}` });
}

/** Key of what is counted in the log of a database. */
export function ofDatabaseLog(name: DatabaseLogMetricName, database: DatabaseName): string {
  return metricKey(databaseLogNamespace(ENVIRONMENT, database), name, {});
}

/** Key of a metric of a queue, by its name in the template. */
export function ofQueue(name: string, queue: string): string {
  return metricKey('AWS/SQS', name, { QueueName: queue });
}

/** Name of a queue whose name the Operations stack stores. */
export const storedQueue = (queue: 'events' | 'parked'): string => `/billing-operations/${ENVIRONMENT}/${queue}-queue`;

/** Name of the failure queue of a function. */
export const failureQueue = (stem: string): string => `BillingOps-${ENVIRONMENT}-${stem}-failures`;

/** Key of what a rule of the firewall counted. */
export function ofFirewall(rule: string): string {
  return metricKey('AWS/WAFV2', 'CountedRequests', { Region: 'eu-central-1', Rule: rule, WebACL: API });
}

/** So many observations of a value, in every so many minutes. */
export function every(minutes: number, value: number, count = 1): Emitter {
  return (minute) => (((minute % minutes) + minutes) % minutes === 0 ? { value, count } : undefined);
}

/** Nothing. */
export const nothing: Emitter = () => undefined;

/** All that is published, with so many events of Stripe in each minute. */
export function healthy(traffic: (minute: number) => number = () => BUSY): Published[] {
  const events = (value: number, times = 1): Emitter => {
    return (minute) => (traffic(minute) > 0 ? { value, count: traffic(minute) * times } : undefined);
  };
  const by = (publisher: string, emitters: Readonly<Record<string, Emitter>>): Published[] =>
    Object.entries(emitters).map(([key, emit]) => ({ by: publisher, key, emit }));
  const of = (stem: string, emitters: Readonly<Record<string, Emitter>>, dimensions?: Record<string, string>) =>
    by(
      stem,
      Object.fromEntries(Object.entries(emitters).map(([name, emit]) => [ofFunction(stem, name, dimensions), emit])),
    );
  const canary = every(5, 1);
  return [
    ...of('webhook', { WebhookReceived: events(1), WebhookRejected: nothing, WebhookFailed: nothing }),
    ...of('processor', {
      EventsFailed: events(0),
      QueryDuration: events(15, 2),
      ApiVersionDrift: events(0),
      ConnectAccountsRestricted: events(0),
    }),
    ...of('canary', {
      CanarySucceeded: canary,
      CanaryLatency: every(5, 3_000),
      CanaryUnconfigured: nothing,
      CanaryLost: nothing,
    }),
    ...by('AWS/ApiGateway', {
      [ofApi('Count')]: (minute) => ({ value: 1, count: traffic(minute) + (canary(minute)?.count ?? 0) }),
      [ofApi('Latency')]: events(40),
      [ofApi('Count', true)]: events(1),
      [ofApi('Latency', true)]: events(40),
      [ofApi('4XXError', true)]: events(0),
      [ofApi('5XXError', true)]: events(0),
    }),
    ...by('AWS/WAFV2', { [ofFirewall('SignedDeliveries')]: events(1), [ofFirewall('AdmittedDeliveries')]: events(1) }),
    ...by('AWS/Lambda', {
      ...counted('webhook', events(0)),
      ...counted('processor', events(0)),
      ...counted('api', every(1, 0)),
      ...counted('rotate-billing', nothing),
      ...counted('rotate-main', nothing),
    }),
    ...queues().flatMap(([key, emit]) => by('AWS/SQS', { [key]: emit })),
    ...by('AWS/SNS', {
      [metricKey('AWS/SNS', 'NumberOfNotificationsFailed', { TopicName: 'AlertsCriticalD98B8922' })]: nothing,
      [metricKey('AWS/SNS', 'NumberOfNotificationsFailed', { TopicName: 'AlertsWarning25141039' })]: nothing,
    }),
    ...by('AWS/S3', { [REPLICATION]: nothing }),
    ...DATABASE_NAMES.flatMap((database) => by('AWS/RDS', instance(database))),
    ...DATABASE_NAMES.flatMap((database) =>
      databaseLogFilters(database).flatMap(({ metric }) =>
        by('logs', { [ofDatabaseLog(metric, database)]: metric === 'SlowStatements' ? every(10, 1, 2) : nothing }),
      ),
    ),
    ...by('AWS/RDS', { [ofInstance('ReplicaLag', 'billing-analytics')]: every(1, 1) }),
    ...of('collector', collector()),
    ...DATABASE_NAMES.flatMap((database) => of('collector', collectorOf(database), { database })),
    ...(['billing-database', 'main-database', 'stripe-api', 'stripe-signing'] as const).flatMap((secret) =>
      of('collector', { SecretAge: every(5, 10 * 86_400) }, { secret }),
    ),
    ...DATABASE_NAMES.flatMap((database) => of('backup', backup(database), { database })),
    ...DATABASE_NAMES.flatMap((database) =>
      of('drill', { DrillTargetPercent: nothing, DrillFailed: nothing, DrillFindings: nothing }, { database }),
    ),
    ...DATABASE_NAMES.flatMap((database) => of('verify', { VerifyFailed: nothing }, { database })),
    ...of('reconciliation', {
      DriftDetected: every(DAYS, 0),
      MissedEvents: every(DAYS, 0),
      ReconciliationFailed: nothing,
    }),
    ...of('cleanup', { CleanupFailed: nothing }),
    ...of('maintenance', { MaintenanceFailed: nothing }),
    ...of('maintenance', { CardNumbersInLogs: every(7 * DAYS, 0) }, { database: 'billing' }),
    ...of('maintenance', { DataOutsideRegions: every(7 * DAYS, 0) }, { database: 'billing' }),
    ...DATABASE_NAMES.flatMap((database) =>
      of('maintenance', { MaintenanceFailed: nothing, CardNumbersFound: every(31 * DAYS, 0) }, { database }),
    ),
    ...of('api', { ApiFailed: nothing, ApiKeysRejected: nothing }),
    ...CACHE_USERS.flatMap((stem) => of(stem, { CacheUnavailable: nothing })),
  ];
}

/** Objects that S3 gave up copying to the second region. */
export const REPLICATION = metricKey('AWS/S3', 'OperationsFailedReplication', {
  SourceBucket: 'BillingOps-production-Data:ExportsOutputRefArchivesBucketD5C337A90819CAB8',
  DestinationBucket: 'billing-ops-production-archives-333333333333-eu-west-1',
  RuleId: 'second-region',
});

/** Functions that ask the cache of entitlements. */
const CACHE_USERS = [
  'processor',
  'reconciliation',
  'refresh',
  'replay',
  'entitlements',
  'row-recovery',
  'api',
  'payouts',
];

/** Functions whose failed requests stay in a queue, and are looked at. */
export const FAILURE_QUEUES = [
  'backup',
  'cleanup',
  'drill',
  'entitlements',
  'maintenance',
  'migrate',
  'reconciliation',
  'replay',
  'restore',
  'row-recovery',
] as const;

function counted(stem: string, emit: Emitter): Record<string, Emitter> {
  return { [ofLambda(stem, 'Errors')]: emit, [ofLambda(stem, 'Throttles')]: emit };
}

/** SQS publishes about a queue that is used, and for six hours after; of the others nothing. */
function queues(): [string, Emitter][] {
  return [
    [ofQueue('ApproximateAgeOfOldestMessage', storedQueue('events')), every(1, 1)],
    [ofQueue('ApproximateNumberOfMessagesVisible', storedQueue('parked')), every(1, 0)],
    [ofQueue('ApproximateNumberOfMessagesVisible', 'UndeliveredF3CF66A9'), nothing],
    ...FAILURE_QUEUES.map((stem): [string, Emitter] => [
      ofQueue('ApproximateNumberOfMessagesVisible', failureQueue(stem)),
      nothing,
    ]),
  ];
}

function instance(database: DatabaseName): Record<string, Emitter> {
  const published = {
    CPUUtilization: 20,
    CPUSurplusCreditBalance: 0,
    DatabaseConnections: 12,
    FreeStorageSpace: 60e9,
    FreeableMemory: 8e9,
    MaximumUsedTransactionIDs: 150e6,
    ReadLatency: 0.001,
    WriteLatency: 0.002,
  };
  return Object.fromEntries(
    Object.entries(published).map(([name, value]) => [ofInstance(name, database), every(1, value)]),
  );
}

function collector(): Record<string, Emitter> {
  return {
    CollectionSucceeded: every(5, 1),
    CollectionFailed: nothing,
    FailedSubscriptionsPercent: every(5, 0.5),
    ReconciliationAge: every(5, 12 * 3_600),
    CleanupOverdue: every(5, 0),
    RefreshAge: every(5, 0),
    // Published only while a dispute awaits a response.
    DisputeDue: nothing,
    EarlyFraudWarnings: every(5, 0),
    PayoutsFailed: every(5, 0),
    PayoutLateness: every(5, 0),
    UnownedPurchases: every(5, 0),
    ReplicationLatency: every(5, 10),
  };
}

function collectorOf(database: DatabaseName): Record<string, Emitter> {
  return {
    AllocatedStorageBytes: every(5, 100e9),
    InstanceMemoryBytes: every(5, 16e9),
    DatabaseSizeBytes: every(5, 30e9),
    ConnectionsUsedPercent: every(5, 20),
    BackupAge: every(5, database === 'billing' ? 3 * 3_600 : 12 * 3_600),
    DrillAge: every(5, 10 * 86_400),
    MaintenanceOverdue: every(5, 0),
    LongestTransaction: every(5, 20),
    LongestLockWait: every(5, 0),
    CertificateExpiry: every(5, 300 * 86_400),
  };
}

function backup(database: DatabaseName): Record<string, Emitter> {
  const period = database === 'billing' ? 6 * HOURS : DAYS;
  return {
    BackupFailed: nothing,
    BackupExported: nothing,
    BackupHousekeepingFailed: every(period, 0),
    BackupOmissions: every(period, 0),
    UnprotectedTiers: every(period, 0),
  };
}

/** What is published, with some of it replaced from a minute on. */
export function worldOf(
  published: readonly Published[],
  faults: Readonly<Record<string, Emitter>> = {},
  from = 0,
  until = Number.POSITIVE_INFINITY,
): World {
  const emitters = new Map(published.map(({ key, emit }) => [key, emit]));
  for (const [key, fault] of Object.entries(faults)) {
    const before = emitters.get(key);
    if (before === undefined) throw new Error(`nothing publishes ${key}`);
    emitters.set(key, (minute) => (minute >= from && minute < until ? fault(minute) : before(minute)));
  }
  return emitters;
}

/** What the runs that look at payments in bitcoin publish, where an environment takes them. */
export function healthyBitcoin(): Published[] {
  return Object.entries({
    ConfirmationsSucceeded: every(2, 1),
    ConfirmationsFailed: nothing,
    BitcoinNodeUnreachable: every(2, 0),
    BitcoinBlockAge: every(2, 900),
    BitcoinReorganisationDepth: every(2, 0),
    BitcoinPaymentsLost: every(2, 0),
    BitcoinOldestUnsettled: every(2, 3_600),
    BitcoinConfirmationTime: every(2, 2_400),
  }).map(([name, emit]) => ({ by: 'confirmations', key: ofFunction('confirmations', name), emit }));
}
