import path from 'node:path';
import { z } from 'zod';
import { DATABASE_NAMES } from '../shared/contract';
import { billingTarget, createConnector, mainTarget } from '../shared/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  readRequest,
} from '../shared/environment';
import { messageOf, OperationError } from '../shared/errors';
import { createSecrets } from '../shared/secrets';
import { createTelemetry, MetricUnit } from '../shared/telemetry';
import { VERIFY_METRICS, type VerifyReport } from './contract';
import { verifyDatabase } from './core';

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const { log, metrics } = createTelemetry('verify', environment);
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

const requestSchema = z.object({
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  targetDatabase: z.string().min(1, 'the name of a database on the server').optional(),
  host: z.string().min(1, 'a host name or address').optional(),
  port: z.int().min(1).max(65_535).optional(),
  warm: z.boolean({ error: 'true or false' }).optional(),
});

/**
 * Verifies a database where it is; see {@link VerifyRequest}. An unsound database is an answer, not an error: look at
 * `sound`.
 */
export async function handler(event: unknown): Promise<VerifyReport> {
  const { database, targetDatabase, host, port, warm } = readRequest(requestSchema, event);
  metrics.addDimension('database', database);
  const configured = targets[database];
  const target = { ...configured, host: host ?? configured.host, port: port ?? configured.port };
  try {
    const report = await verifyDatabase(
      {
        connector: createConnector(target, secrets, 'verify'),
        migrationsDirectory: path.join(__dirname, 'migrations', database),
        now: () => new Date(),
      },
      { targetDatabase, warm },
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
