import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { DATABASE_NAMES } from '../shared/contract';
import { billingTarget, createConnector, mainTarget } from '../shared/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  readRequest,
  setting,
} from '../shared/environment';
import { messageOf, OperationError } from '../shared/errors';
import { createSecrets } from '../shared/secrets';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { BACKUP_METRICS, type BackupReport } from './contract';
import { createBackup } from './core';

/** S3 answers 503 while it scales, for seconds at a time; three attempts, the SDK's default, do not outlast that. */
const S3_ATTEMPTS = 6;
const LONGEST_RETENTION_DAYS = 3650;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  BILLING_RETENTION_DAYS: setting.integer(1, LONGEST_RETENTION_DAYS),
  MAIN_RETENTION_DAYS: setting.integer(1, LONGEST_RETENTION_DAYS),
});
const { log, metrics } = createTelemetry('backup', environment);
const secrets = createSecrets();
const store = { s3: new S3Client({ maxAttempts: S3_ATTEMPTS }), bucket: environment.ARCHIVE_BUCKET };
const policies = {
  billing: { target: billingTarget(environment), retentionDays: environment.BILLING_RETENTION_DAYS },
  main: { target: mainTarget(environment), retentionDays: environment.MAIN_RETENTION_DAYS },
};

const requestSchema = z.object({
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  slot: z.iso.datetime({ offset: true, error: 'an ISO time such as 2026-11-21T06:00:00Z' }).optional(),
});

/** Archives one database; see {@link BackupRequest}. */
export async function handler(event: unknown): Promise<BackupReport> {
  const { database, slot } = readRequest(requestSchema, event);
  const { target, retentionDays } = policies[database];
  metrics.addDimension('database', database);
  try {
    const report = await createBackup(
      { connector: createConnector(target, secrets, 'backup'), store, retentionDays, log, now: () => new Date() },
      slot,
    );
    log.info('Backup finished', { ...report });
    if (report.outcome === 'created') {
      metrics.addMetric(BACKUP_METRICS.succeeded, MetricUnit.Count, 1);
      metrics.addMetric(BACKUP_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
      metrics.addMetric(BACKUP_METRICS.compressedBytes, MetricUnit.Bytes, report.compressedBytes);
    }
    return report;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error('Backup failed', { database, slot, code, error: messageOf(error) });
    metrics.addMetric(BACKUP_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
