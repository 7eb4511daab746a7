import { billingTarget, createConnector, mainTarget, targetAt } from '../../core/database/connector';
import { migrationsFolder } from '../../core/migrations/files';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { contract, VERIFY_METRICS } from './contract';
import { verifyDatabase } from './core';

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/**
 * Verifies a database where it is; see {@link verifyRequest}. An unsound database is an answer, not an error: read
 * `sound` and `problems`.
 */
export const handler = operation(contract, {
  name: 'Verification',
  telemetry: createTelemetry('verify', environment),
  byDatabase: true,
  // To answer what was found.
  reserveMs: 20_000,
  run: (request, { remainingMs }) =>
    verifyDatabase(
      {
        connector: createConnector(targetAt(targets[request.database], request), secrets, 'verify'),
        migrationsDirectory: migrationsFolder(__dirname, targets[request.database]),
        clock: () => new Date(),
        remainingMs,
      },
      request,
    ),
  summarise: ({ sound }) =>
    sound ? { message: 'Database verified' } : { message: 'The database is not sound', level: 'error' },
  measure: (metrics, { sound, durationMs }) => {
    metrics.addMetric(sound ? VERIFY_METRICS.succeeded : VERIFY_METRICS.failed, MetricUnit.Count, 1);
    metrics.addMetric(VERIFY_METRICS.durationMs, MetricUnit.Milliseconds, durationMs);
  },
  failedMetric: VERIFY_METRICS.failed,
});
