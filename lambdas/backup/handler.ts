import { RDSClient } from '@aws-sdk/client-rds';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { openArchiveStore } from '../../core/archive/open-store';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  readRequest,
  setting,
} from '../../core/runtime/environment';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { BACKUP_METRICS, type BackupReport } from './contract';
import type { ExportTarget } from './export-snapshot';
import { publishProtection, publishReport } from './publish';
import type { RdsInstance } from './rds-instance';
import { type RunDependencies, runBackup } from './run';

/** Without a route to RDS, its check must not use up the time for the archive. */
const RDS_TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 10_000 };
const LONGEST_RETENTION_DAYS = 3650;
const LONGEST_FREQUENCY_HOURS = 24 * 31;
const MAX_STORAGE_GIB = 65_536;
const GIB = 1024 ** 3;
/** Kept of the function's time for answering, after waiting for a snapshot. */
const ANSWER_SECONDS = 30;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  BILLING_RETENTION_DAYS: setting.integer(1, LONGEST_RETENTION_DAYS),
  MAIN_RETENTION_DAYS: setting.integer(1, LONGEST_RETENTION_DAYS),
  BILLING_FREQUENCY_HOURS: setting.integer(1, LONGEST_FREQUENCY_HOURS),
  MAIN_FREQUENCY_HOURS: setting.integer(1, LONGEST_FREQUENCY_HOURS),
  BILLING_INSTANCE_IDENTIFIER: setting.optionalText(),
  MAIN_INSTANCE_IDENTIFIER: setting.optionalText(),
  STREAMING_LIMIT_GIB: setting.integer(1, MAX_STORAGE_GIB),
  EXPORT_ROLE_ARN: setting.optionalText(),
  EXPORT_KEY_ARN: setting.optionalText(),
});
const { log, metrics } = createTelemetry('backup', environment);
const secrets = createSecrets();
const rds = new RDSClient({ requestHandler: RDS_TIMEOUTS });
const store = openArchiveStore(environment.ARCHIVE_BUCKET, 'writing');
const policies = {
  billing: {
    target: billingTarget(environment),
    retentionDays: environment.BILLING_RETENTION_DAYS,
    frequencyHours: environment.BILLING_FREQUENCY_HOURS,
    identifier: environment.BILLING_INSTANCE_IDENTIFIER,
  },
  main: {
    target: mainTarget(environment),
    retentionDays: environment.MAIN_RETENTION_DAYS,
    frequencyHours: environment.MAIN_FREQUENCY_HOURS,
    identifier: environment.MAIN_INSTANCE_IDENTIFIER,
  },
};

const requestSchema = z.object({
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  slot: z.iso.datetime({ offset: true, error: 'an ISO time such as 2026-11-21T06:00:00Z' }).optional(),
  reason: z.enum(['routine', 'pre-migration'], { error: '`routine` or `pre-migration`' }).optional(),
});

/** Archives one database; see {@link BackupRequest}. */
export async function handler(
  event: unknown,
  context?: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<BackupReport> {
  const request = readRequest(requestSchema, event);
  metrics.addDimension('database', request.database);
  try {
    const report = await runBackup(dependenciesOf(request.database, context), request);
    log.info('Backup finished', { ...report });
    publishReport(metrics, report);
    return report;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error('Backup failed', { ...request, code, error: messageOf(error) });
    metrics.addMetric(BACKUP_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}

function dependenciesOf(
  database: DatabaseName,
  context: Pick<Context, 'getRemainingTimeInMillis'> | undefined,
): RunDependencies {
  const { target, retentionDays, frequencyHours, identifier } = policies[database];
  const instance = identifier === '' ? undefined : { rds, identifier };
  return {
    connector: createConnector(target, secrets, 'backup'),
    store,
    retentionDays,
    frequencyHours,
    instance,
    streamingLimitBytes: environment.STREAMING_LIMIT_GIB * GIB,
    exportTarget: instance && exportTargetOf(instance),
    log,
    now: () => new Date(),
    onProtection: (protection) => publishProtection(metrics, protection),
    remainingSeconds: () => Math.floor((context?.getRemainingTimeInMillis() ?? 0) / 1000) - ANSWER_SECONDS,
  };
}

function exportTargetOf(instance: RdsInstance): ExportTarget | undefined {
  const { ARCHIVE_BUCKET: bucket, EXPORT_ROLE_ARN: roleArn, EXPORT_KEY_ARN: keyArn } = environment;
  return roleArn === '' || keyArn === '' ? undefined : { instance, bucket, roleArn, keyArn };
}
