import path from 'node:path';
import * as z from 'zod';
import { openArchiveStore } from '../../core/archive/open-store';
import { DATABASE_NAMES } from '../../core/contract';
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
import { DRILL_METRICS, type DrillRecord } from './contract';
import { runDrill } from './core';

const MINUTE_MS = 60_000;
const LONGEST_TARGET_MINUTES = 10_080;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ARCHIVE_BUCKET: setting.text('the name of the archive bucket'),
  BILLING_RESTORE_TARGET_MINUTES: setting.integer(1, LONGEST_TARGET_MINUTES),
  MAIN_RESTORE_TARGET_MINUTES: setting.integer(1, LONGEST_TARGET_MINUTES),
});
const { log, metrics } = createTelemetry('drill', environment);
const secrets = createSecrets();
const store = openArchiveStore(environment.ARCHIVE_BUCKET, 'reading');
const policies = {
  billing: { target: billingTarget(environment), targetMs: environment.BILLING_RESTORE_TARGET_MINUTES * MINUTE_MS },
  main: { target: mainTarget(environment), targetMs: environment.MAIN_RESTORE_TARGET_MINUTES * MINUTE_MS },
};

const requestSchema = z.object({
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
});

/** Proves that the newest archive can be restored in time; see {@link DrillRequest}. */
export async function handler(event: unknown): Promise<DrillRecord> {
  const { database } = readRequest(requestSchema, event);
  const { target, targetMs } = policies[database];
  metrics.addDimension('database', database);
  try {
    const record = await runDrill({
      connector: createConnector(target, secrets, 'drill'),
      store,
      migrationsDirectory: path.join(__dirname, 'migrations', database),
      targetMs,
      log,
      now: () => new Date(),
    });
    log.info('Drill finished', { ...record });
    metrics.addMetric(DRILL_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(DRILL_METRICS.durationMs, MetricUnit.Milliseconds, record.durationMs);
    metrics.addMetric(DRILL_METRICS.targetPercent, MetricUnit.Percent, record.targetPercent);
    return record;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error('Drill failed', { database, code, error: messageOf(error) });
    metrics.addMetric(DRILL_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
