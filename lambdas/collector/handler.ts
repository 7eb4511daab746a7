import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { RDSClient } from '@aws-sdk/client-rds';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { COLLECTOR_METRICS, contract } from './contract';
import { collectAndPublish } from './core';
import type { Gauge } from './gauge';

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
  BILLING_ARCHIVE_WORKFLOW_ARN: setting.optionalText(),
  MAIN_ARCHIVE_WORKFLOW_ARN: setting.optionalText(),
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  COPY_REGION: setting.optionalText(),
  COPY_BUCKET: setting.optionalText(),
  EVENT_RETENTION_DAYS: setting.integer(1, MAX_RETENTION_DAYS),
  BILLING_PASSWORD_SECRET_ARNS: setting.optionalText().default(''),
  MAIN_PASSWORD_SECRET_ARNS: setting.optionalText().default(''),
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_SIGNING_SECRET_ARN: secretArnSetting(),
});
const telemetry = createTelemetry('collector', environment);
const secrets = createSecrets();
const sfn = new SFNClient({ requestHandler: TIMEOUTS });
const workflowAt = (stateMachineArn: string) => (stateMachineArn === '' ? undefined : { sfn, stateMachineArn });
const dependencies = {
  billing: {
    connector: createConnector(billingTarget(environment), secrets, 'collector'),
    instance: {
      instanceIdentifier: environment.BILLING_INSTANCE_IDENTIFIER,
      allocatedStorageGib: environment.BILLING_ALLOCATED_STORAGE_GIB,
    },
    workflow: workflowAt(environment.BILLING_ARCHIVE_WORKFLOW_ARN),
  },
  main: {
    connector: createConnector(mainTarget(environment), secrets, 'collector'),
    instance: {
      instanceIdentifier: environment.MAIN_INSTANCE_IDENTIFIER,
      allocatedStorageGib: environment.MAIN_ALLOCATED_STORAGE_GIB,
    },
    workflow: workflowAt(environment.MAIN_ARCHIVE_WORKFLOW_ARN),
  },
  eventRetentionDays: environment.EVENT_RETENTION_DAYS,
  store: { s3: new S3Client({ requestHandler: TIMEOUTS }), bucket: environment.ARCHIVE_BUCKET },
  rds: new RDSClient({ requestHandler: TIMEOUTS }),
  copies:
    environment.COPY_REGION === ''
      ? undefined
      : {
          cloudWatch: new CloudWatchClient({ region: environment.COPY_REGION, requestHandler: TIMEOUTS }),
          buckets: { source: environment.ARCHIVE_BUCKET, destination: environment.COPY_BUCKET },
        },
  secretsManager: new SecretsManagerClient({ requestHandler: TIMEOUTS }),
  secretArns: {
    'billing-database': listed(environment.BILLING_PASSWORD_SECRET_ARNS, environment.BILLING_DATABASE_SECRET_ARN),
    'main-database': listed(environment.MAIN_PASSWORD_SECRET_ARNS, environment.MAIN_DATABASE_SECRET_ARN),
    'stripe-api': [environment.STRIPE_API_SECRET_ARN],
    'stripe-signing': [environment.STRIPE_SIGNING_SECRET_ARN],
  },
  statements: new Map(),
  clock: () => new Date(),
  log: telemetry.log,
} as const;

/** Publishes the gauges that no single event changes: shares, sizes, ages. Runs every five minutes. */
export const handler = operation(contract, {
  name: 'Collection',
  telemetry,
  run: () => collectAndPublish(dependencies, publishGauge),
  measure: (metrics) => metrics.addMetric(COLLECTOR_METRICS.succeeded, MetricUnit.Count, 1),
  failedMetric: COLLECTOR_METRICS.failed,
});

function publishGauge({ name, unit, value, dimensions }: Gauge): void {
  const { metrics } = telemetry;
  // Metrics with a dimension of their own need a record of their own.
  const record = dimensions ? metrics.singleMetric() : metrics;
  for (const [dimension, of] of Object.entries(dimensions ?? {})) record.addDimension(dimension, of);
  record.addMetric(name, MetricUnit[unit], value);
}

function listed(arns: string, otherwise: string): string[] {
  return arns === '' ? [otherwise] : arns.split(',');
}
