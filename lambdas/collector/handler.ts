import { RDSClient } from '@aws-sdk/client-rds';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { OperationError } from '../../core/runtime/errors';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { COLLECTOR_METRICS } from './contract';
import { collectGauges } from './core';

/** The largest disk that RDS gives to a PostgreSQL instance. */
const MAX_STORAGE_GIB = 65_536;
const MAX_RETENTION_DAYS = 3_650;
/** An API that does not answer must not use up the time of the others: the function has a minute. */
const TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 10_000 };

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  BILLING_INSTANCE_IDENTIFIER: setting.optionalText(),
  MAIN_INSTANCE_IDENTIFIER: setting.optionalText(),
  BILLING_ALLOCATED_STORAGE_GIB: setting.integer(1, MAX_STORAGE_GIB),
  MAIN_ALLOCATED_STORAGE_GIB: setting.integer(1, MAX_STORAGE_GIB),
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  EVENT_RETENTION_DAYS: setting.integer(1, MAX_RETENTION_DAYS),
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_SIGNING_SECRET_ARN: secretArnSetting(),
});
const { log, metrics } = createTelemetry('collector', environment);
const secrets = createSecrets();
const dependencies = {
  billing: {
    connector: createConnector(billingTarget(environment), secrets, 'collector'),
    instance: {
      instanceIdentifier: environment.BILLING_INSTANCE_IDENTIFIER,
      allocatedStorageGib: environment.BILLING_ALLOCATED_STORAGE_GIB,
    },
  },
  main: {
    connector: createConnector(mainTarget(environment), secrets, 'collector'),
    instance: {
      instanceIdentifier: environment.MAIN_INSTANCE_IDENTIFIER,
      allocatedStorageGib: environment.MAIN_ALLOCATED_STORAGE_GIB,
    },
  },
  eventRetentionDays: environment.EVENT_RETENTION_DAYS,
  store: { s3: new S3Client({ requestHandler: TIMEOUTS }), bucket: environment.ARCHIVE_BUCKET },
  rds: new RDSClient({ requestHandler: TIMEOUTS }),
  secretsManager: new SecretsManagerClient({ requestHandler: TIMEOUTS }),
  secretArns: {
    'billing-database': environment.BILLING_DATABASE_SECRET_ARN,
    'main-database': environment.MAIN_DATABASE_SECRET_ARN,
    'stripe-api': environment.STRIPE_API_SECRET_ARN,
    'stripe-signing': environment.STRIPE_SIGNING_SECRET_ARN,
  },
  now: () => new Date(),
} as const;

/** Publishes the gauges that no single event changes: shares, sizes, ages. Runs every five minutes. */
export async function handler(): Promise<void> {
  const { gauges, failures } = await collectGauges(dependencies);
  for (const { name, unit, value, dimensions } of gauges) {
    // Metrics with a dimension of their own go into a record of their own.
    const record = dimensions ? metrics.singleMetric() : metrics;
    for (const [dimension, of] of Object.entries(dimensions ?? {})) record.addDimension(dimension, of);
    record.addMetric(name, MetricUnit[unit], value);
  }
  // The heartbeat: whoever sees neither of the two knows that the gauges are old.
  const complete = failures.length === 0;
  metrics.addMetric(complete ? COLLECTOR_METRICS.succeeded : COLLECTOR_METRICS.failed, MetricUnit.Count, 1);
  metrics.publishStoredMetrics();
  if (complete) return;
  // What could be measured is published whatever happened to the rest; then the invocation counts as failed.
  log.error('Some gauges could not be measured', { failures });
  throw new OperationError('collection_incomplete', failures.join('; '));
}
