import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { RDSClient } from '@aws-sdk/client-rds';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ClientBase } from 'pg';
import { newestBackup } from '../../core/archive/newest-backup';
import type { ArchiveStore } from '../../core/archive/store';
import { failedSubscriptionsPercent } from '../../core/billing/failed-subscriptions';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { recordSuccess } from '../../core/database/job-success';
import { connectionsUsedPercent, databaseSizeBytes } from '../../core/database/server-gauges';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { currentSince } from '../../core/runtime/secret-age';
import type { Log } from '../../core/runtime/telemetry';
import {
  actionableFraudWarnings,
  countUnserved,
  latePayoutSeconds,
  nextDisputeDueSeconds,
  oldestRefreshSeconds,
  openPayoutFailures,
} from './access-gauges';
import { backupAgeSeconds, type WatchedWorkflow } from './backup-age';
import { COLLECTOR_METRICS, type CollectorReport, type WatchedSecret } from './contract';
import {
  cleanupOverdueSeconds,
  lastDrill,
  lastReconciliation,
  madeAt,
  maintenanceOverdueSeconds,
} from './database-gauges';
import { eventBacklog, serverHealth } from './server-health';
import { collect, type Collection, type Gauge, type Measurement, secondsSince, together } from './gauge';
import { instanceSize, type InstanceSource } from './instance';
import { replicationLatencySeconds, type ReplicatedBuckets } from './replication';
import { statementLoad, type StatementWatch } from './statement-load';

/** A database and the machine behind it. */
export interface WatchedDatabase {
  readonly connector: DatabaseConnector;
  readonly instance: InstanceSource;
  /** @default no workflow archives it */
  readonly workflow?: WatchedWorkflow | undefined;
}

export interface CollectorDependencies {
  readonly billing: WatchedDatabase;
  readonly main: WatchedDatabase;
  /** Days that a processed event stays in the ledger. */
  readonly eventRetentionDays: number;
  readonly store: ArchiveStore;
  readonly rds: RDSClient;
  readonly secretsManager: SecretsManagerClient;
  /** Where archives are copied to. `undefined` where they are not. */
  readonly copies: { readonly cloudWatch: CloudWatchClient; readonly buckets: ReplicatedBuckets } | undefined;
  readonly secretArns: Readonly<Record<WatchedSecret, readonly string[]>>;
  /** What was counted of statements at the last collection. */
  readonly statements: StatementWatch['samples'];
  readonly clock: () => Date;
  readonly log: Log;
}

/**
 * Measures every gauge and hands it to `publish`.
 *
 * @throws OperationError `collection_incomplete` naming what could not be measured, after the rest was published
 */
export async function collectAndPublish(
  dependencies: CollectorDependencies,
  publish: (gauge: Gauge) => void,
): Promise<CollectorReport> {
  const { gauges, failures } = await collectGauges(dependencies);
  for (const measured of [...gauges, gauge('probesFailed', 'Count', failures.length)]) publish(measured);
  if (failures.length > 0) throw new OperationError('collection_incomplete', failures.join('; '));
  const { billing, clock, log } = dependencies;
  await withConnection(billing.connector, (client) => recordSuccess(client, 'collector', clock(), log)).catch(
    (error: unknown) => log.warn('The success of the collection was not recorded', { reason: messageOf(error) }),
  );
  return { gauges: gauges.length };
}

/** Measures everything that must be looked up to be known. A measurement that fails is named and costs the others nothing. */
export function collectGauges(dependencies: CollectorDependencies): Promise<Collection> {
  const { billing, main } = dependencies;
  return together([
    queryDatabase(billing, (client) => [
      ...everyDatabase(dependencies, billing, client),
      ...billingOnly(dependencies, client),
      ...accessGauges(dependencies, client),
      { label: 'event backlog', measure: () => eventBacklog(client) },
    ]),
    queryDatabase(main, (client) => everyDatabase(dependencies, main, client)),
    collect([billing, main].flatMap((database) => aroundDatabase(dependencies, database))),
    collect([...secretAges(dependencies), ...copyGauges(dependencies)]),
  ]);
}

/** Queries a database over one connection. */
async function queryDatabase(
  { connector }: WatchedDatabase,
  measurements: (client: ClientBase) => readonly Measurement[],
): Promise<Collection> {
  try {
    return await withConnection(connector, (client) => collect(measurements(client)));
  } catch (error) {
    return { gauges: [], failures: [messageOf(error)] };
  }
}

function everyDatabase(
  { clock, log, statements }: CollectorDependencies,
  { connector }: WatchedDatabase,
  client: ClientBase,
): readonly Measurement[] {
  const database = connector.target.name;
  return [
    measurement(`size of ${database}`, 'databaseSizeBytes', 'Bytes', () => databaseSizeBytes(client), { database }),
    measurement(
      `connections of ${database}`,
      'connectionsUsedPercent',
      'Percent',
      () => connectionsUsedPercent(client),
      { database },
    ),
    measurement(
      `drills of ${database}`,
      'drillAgeSeconds',
      'Seconds',
      async () => secondsSince(await lastDrill(client), clock()),
      { database },
    ),
    measurement(
      `maintenance of ${database}`,
      'maintenanceOverdueSeconds',
      'Seconds',
      () => maintenanceOverdueSeconds(client, database, clock()),
      { database },
    ),
    ...serverHealth(client, database, clock),
    {
      label: `statements of ${database}`,
      measure: () => statementLoad(client, database, { samples: statements, clock, log }),
    },
  ];
}

function billingOnly({ eventRetentionDays, clock }: CollectorDependencies, client: ClientBase): readonly Measurement[] {
  return [
    measurement('subscriptions', 'failedSubscriptionsPercent', 'Percent', () => failedSubscriptionsPercent(client)),
    measurement('reconciliations', 'reconciliationAgeSeconds', 'Seconds', async () =>
      secondsSince(await lastReconciliation(client), clock()),
    ),
    measurement('old events', 'cleanupOverdueSeconds', 'Seconds', () =>
      cleanupOverdueSeconds(client, eventRetentionDays, clock()),
    ),
  ];
}

function accessGauges({ clock, log }: CollectorDependencies, client: ClientBase): readonly Measurement[] {
  return [
    measurement('refreshes', 'refreshAgeSeconds', 'Seconds', () => oldestRefreshSeconds(client, clock())),
    {
      label: 'disputes',
      measure: async () => {
        const seconds = await nextDisputeDueSeconds(client, clock());
        return seconds === undefined ? [] : [gauge('disputeDueSeconds', 'Seconds', seconds)];
      },
    },
    measurement('early fraud warnings', 'fraudWarnings', 'Count', () => actionableFraudWarnings(client)),
    measurement('failed payouts', 'payoutsFailed', 'Count', () => openPayoutFailures(client)),
    measurement('late payouts', 'payoutLatenessSeconds', 'Seconds', () => latePayoutSeconds(client, clock())),
    measurement('owners', 'unowned', 'Count', () => countUnserved(client, log)),
  ];
}

/** Gauges that need no connection to the database, so that they are known while it is away. */
function aroundDatabase(
  { rds, store, clock, log }: CollectorDependencies,
  { connector, instance, workflow }: WatchedDatabase,
): readonly Measurement[] {
  const database = connector.target.name;
  return [
    {
      label: `instance of ${database}`,
      measure: async () => {
        const { storageBytes, memoryBytes } = await instanceSize(rds, instance);
        return [
          gauge('allocatedStorageBytes', 'Bytes', storageBytes, { database }),
          ...(memoryBytes === undefined ? [] : [gauge('instanceMemoryBytes', 'Bytes', memoryBytes, { database })]),
        ];
      },
    },
    measurement(
      `backups of ${database}`,
      'backupAgeSeconds',
      'Seconds',
      async () => {
        const newest = (await newestBackup(store, database)) ?? (await withConnection(connector, madeAt));
        return backupAgeSeconds(newest, workflow, { now: clock(), log });
      },
      { database },
    ),
  ];
}

function secretAges({ secretsManager, secretArns, clock }: CollectorDependencies): readonly Measurement[] {
  return Object.entries(secretArns).map(([secret, arns]) =>
    measurement(
      `secret ${secret}`,
      'secretAgeSeconds',
      'Seconds',
      async () => secondsSince(await oldestOf(secretsManager, arns), clock()),
      { secret },
    ),
  );
}

function copyGauges({ copies, clock }: CollectorDependencies): readonly Measurement[] {
  if (!copies) return [];
  return [
    {
      label: 'copies of the archives',
      measure: async () => {
        const seconds = await replicationLatencySeconds(copies.cloudWatch, copies.buckets, clock());
        return seconds === undefined ? [] : [gauge('replicationLatencySeconds', 'Seconds', seconds)];
      },
    },
  ];
}

function measurement(
  label: string,
  metric: keyof typeof COLLECTOR_METRICS,
  unit: Gauge['unit'],
  value: () => Promise<number>,
  dimensions?: Gauge['dimensions'],
): Measurement {
  return {
    label,
    measure: async () => [gauge(metric, unit, await value(), dimensions)],
    unmigrated: DUE_FROM_THE_FIRST_MIGRATION.has(metric) ? gauge(metric, unit, 0, dimensions) : undefined,
  };
}

/**
 * Ages that are counted from the first migration where there is nothing yet. Before it they are 0: unknown, they would page
 * for every environment that is deployed. That the migrations are missing is a failure of the collection.
 */
const DUE_FROM_THE_FIRST_MIGRATION: ReadonlySet<keyof typeof COLLECTOR_METRICS> = new Set([
  'backupAgeSeconds',
  'cleanupOverdueSeconds',
  'drillAgeSeconds',
  'maintenanceOverdueSeconds',
  'reconciliationAgeSeconds',
]);

function gauge(
  metric: keyof typeof COLLECTOR_METRICS,
  unit: Gauge['unit'],
  value: number,
  dimensions?: Gauge['dimensions'],
): Gauge {
  return { name: COLLECTOR_METRICS[metric], unit, value, dimensions };
}

async function oldestOf(secretsManager: SecretsManagerClient, arns: readonly string[]): Promise<Date> {
  const dates = await Promise.all(arns.map((arn) => currentSince(secretsManager, arn)));
  return new Date(Math.min(...dates.map((date) => date.getTime())));
}
