import type { Context } from 'aws-lambda';
import path from 'node:path';
import { billingTarget, createConnector, mainTarget, targetAt } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  readRequest,
} from '../../core/runtime/environment';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import { VERIFY_METRICS, type VerifyReport, verifyRequest } from './contract';
import { verifyDatabase } from './core';

/** Milliseconds kept free at the end, to answer what was found. */
const RESERVED_MS = 20_000;

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const { log, metrics } = createTelemetry('verify', environment);
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/**
 * Verifies a database where it is; see {@link verifyRequest}. An unsound database is an answer, not an error: read
 * `sound` and `problems`.
 */
export async function handler(event: unknown, context: Context): Promise<VerifyReport> {
  const request = readRequest(verifyRequest, event);
  const { database, host, targetDatabase } = request;
  metrics.addDimension('database', database);
  try {
    const report = await verifyDatabase(
      {
        connector: createConnector(targetAt(targets[database], request), secrets, 'verify'),
        migrationsDirectory: path.join(__dirname, 'migrations', database),
        clock: () => new Date(),
        remainingMs: () => context.getRemainingTimeInMillis() - RESERVED_MS,
      },
      request,
    );
    if (report.sound) log.info('Database verified', { ...report });
    else log.error('The database is not sound', { ...report });
    metrics.addMetric(report.sound ? VERIFY_METRICS.succeeded : VERIFY_METRICS.failed, MetricUnit.Count, 1);
    metrics.addMetric(VERIFY_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
    return report;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error('The database could not be verified', { database, host, targetDatabase, code, error: messageOf(error) });
    metrics.addMetric(VERIFY_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}
