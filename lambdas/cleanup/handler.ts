import { billingTarget, createConnector, withConnection } from '../../core/database/connector';
import { baseSettings, billingDatabaseSettings, readEnvironment, setting } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { CLEANUP_METRICS, contract, MIN_RETENTION_DAYS } from './contract';
import { cleanUp } from './core';

/** Ten years: more is not a retention. */
const MAX_RETENTION_DAYS = 3_650;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  RETENTION_DAYS: setting.integer(MIN_RETENTION_DAYS, MAX_RETENTION_DAYS),
});
const telemetry = createTelemetry('cleanup', environment);
const connector = createConnector(billingTarget(environment), createSecrets(), 'cleanup');

/** Deletes processed events that are older than the retention. Runs daily. */
export const handler = operation(contract, {
  name: 'Cleanup',
  telemetry,
  // For the batch that is running, and the answer.
  reserveMs: 10_000,
  run: ({ dryRun }, { remainingMs }) =>
    withConnection(connector, (client) =>
      cleanUp(
        { client, clock: () => new Date(), remainingMs, log: telemetry.log },
        { retentionDays: environment.RETENTION_DAYS, dryRun },
      ),
    ),
  measure: (metrics, { dryRun, deleted, durationMs }) => {
    metrics.addMetric(CLEANUP_METRICS.succeeded, MetricUnit.Count, 1);
    metrics.addMetric(CLEANUP_METRICS.deleted, MetricUnit.Count, dryRun ? 0 : deleted);
    metrics.addMetric(CLEANUP_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
  },
  failedMetric: CLEANUP_METRICS.failed,
});
