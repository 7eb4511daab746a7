import { RDSClient } from '@aws-sdk/client-rds';
import {
  billingTarget,
  createConnector,
  mainTarget,
  withConnection,
  type DatabaseConnector,
} from '../shared/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  setting,
} from '../shared/environment';
import { messageOf, OperationError } from '../shared/errors';
import { createSecrets } from '../shared/secrets';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { COLLECTOR_METRICS } from './contract';
import { allocatedStorageBytes, databaseSizeBytes, failedSubscriptionsPercent, type StorageSource } from './core';

/** The largest disk that RDS gives to a PostgreSQL instance. */
const MAX_STORAGE_GIB = 65_536;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  BILLING_INSTANCE_IDENTIFIER: setting.optionalText(),
  MAIN_INSTANCE_IDENTIFIER: setting.optionalText(),
  BILLING_ALLOCATED_STORAGE_GIB: setting.integer(1, MAX_STORAGE_GIB),
  MAIN_ALLOCATED_STORAGE_GIB: setting.integer(1, MAX_STORAGE_GIB),
});
const { log, metrics } = createTelemetry('collector', environment);
const secrets = createSecrets();
const rds = new RDSClient({});
const billing = createConnector(billingTarget(environment), secrets, 'collector');
const main = createConnector(mainTarget(environment), secrets, 'collector');

/** Publishes the gauges that no single event changes: shares, sizes, storage. Runs every five minutes. */
export async function handler(): Promise<void> {
  const gauges = await Promise.allSettled([
    collectSubscriptions(),
    collectStorage(billing, {
      instanceIdentifier: environment.BILLING_INSTANCE_IDENTIFIER,
      allocatedStorageGib: environment.BILLING_ALLOCATED_STORAGE_GIB,
    }),
    collectStorage(main, {
      instanceIdentifier: environment.MAIN_INSTANCE_IDENTIFIER,
      allocatedStorageGib: environment.MAIN_ALLOCATED_STORAGE_GIB,
    }),
  ]);
  metrics.publishStoredMetrics();
  // What could be measured is published whatever happened to the rest; then the invocation counts as failed.
  const reasons = gauges.flatMap((gauge) => (gauge.status === 'rejected' ? [messageOf(gauge.reason)] : []));
  if (reasons.length === 0) return;
  log.error('Some gauges could not be measured', { reasons });
  throw new OperationError('collection_incomplete', reasons.join('; '), { retryable: true });
}

async function collectSubscriptions(): Promise<void> {
  const percent = await withConnection(billing, failedSubscriptionsPercent);
  metrics.addMetric(COLLECTOR_METRICS.failedSubscriptionsPercent, MetricUnit.Percent, percent);
}

async function collectStorage(connector: DatabaseConnector, source: StorageSource): Promise<void> {
  const allocated = await allocatedStorageBytes(rds, source);
  const size = await withConnection(connector, databaseSizeBytes);
  for (const [name, bytes] of [
    [COLLECTOR_METRICS.allocatedStorageBytes, allocated],
    [COLLECTOR_METRICS.databaseSizeBytes, size],
  ] as const) {
    // Metrics with a dimension of their own go into a record of their own.
    const metric = metrics.singleMetric();
    metric.addDimension('database', connector.target.name);
    metric.addMetric(name, MetricUnit.Bytes, bytes);
  }
}
