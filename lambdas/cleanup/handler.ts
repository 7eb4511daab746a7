import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { billingTarget, createConnector, withConnection } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  readRequest,
  setting,
} from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { CLEANUP_METRICS, MIN_RETENTION_DAYS } from './contract';
import { cleanUp, type CleanupSummary } from './core';

/** Ten years: more is not a retention. */
const MAX_RETENTION_DAYS = 3_650;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  RETENTION_DAYS: setting.integer(MIN_RETENTION_DAYS, MAX_RETENTION_DAYS),
});
const { log, metrics } = createTelemetry('cleanup', environment);
const connector = createConnector(billingTarget(environment), createSecrets(), 'cleanup');

const requestSchema = z.object({ dryRun: z.boolean({ error: 'expected true or false' }).default(false) });

/** Deletes processed events that are older than the retention; answers with how many. Runs daily. */
export async function handler(request: unknown, context: Context): Promise<CleanupSummary> {
  try {
    const { dryRun } = readRequest(requestSchema, request ?? {});
    const summary = await withConnection(connector, (client) =>
      cleanUp(
        { client, clock: () => new Date(), remainingMs: () => context.getRemainingTimeInMillis(), log },
        { retentionDays: environment.RETENTION_DAYS, dryRun },
      ),
    );
    log.info('Cleaned up the ledger of events', { ...summary });
    metrics.addMetric(CLEANUP_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(CLEANUP_METRICS.deleted, MetricUnit.Count, dryRun ? 0 : summary.deleted);
    metrics.addMetric(CLEANUP_METRICS.durationMs, MetricUnit.Milliseconds, summary.durationMs);
    return summary;
  } catch (error) {
    metrics.addMetric(CLEANUP_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
