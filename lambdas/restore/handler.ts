import path from 'node:path';
import * as z from 'zod';
import { openArchiveStore } from '../../core/archive/open-store';
import { archiveChoice } from '../../core/archive/request';
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
import type { RestoreReport } from '../../core/restore/contract';
import { RESTORE_METRICS } from './contract';
import { restoreArchive } from '../../core/restore/restore-archive';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
});
const { log, metrics } = createTelemetry('restore', environment);
const secrets = createSecrets();
const store = openArchiveStore(environment.ARCHIVE_BUCKET, 'reading');
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

const requestSchema = z.object({
  ...archiveChoice,
  targetDatabase: z.string({ error: 'the name of the database to create' }),
  afterwards: z.enum(['keep', 'drop'], { error: '`keep` or `drop`' }),
});

/** Restores an archive into a new database and proves it; see {@link RestoreRequest}. */
export async function handler(event: unknown): Promise<RestoreReport> {
  const { database, ...request } = readRequest(requestSchema, event);
  metrics.addDimension('database', database);
  try {
    const report = await restoreArchive(
      {
        connector: createConnector(targets[database], secrets, 'restore'),
        store,
        migrationsDirectory: path.join(__dirname, 'migrations', database),
        log,
        now: () => new Date(),
      },
      request,
    );
    log.info('Restore finished', { ...report });
    metrics.addMetric(RESTORE_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(RESTORE_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
    return report;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error('Restore failed', { database, ...request, code, error: messageOf(error) });
    metrics.addMetric(RESTORE_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
