import type { Context } from 'aws-lambda';
import path from 'node:path';
import * as z from 'zod';
import { DATABASE_NAMES } from '../../core/contract';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
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
import { VERIFY_METRICS, type VerifyReport, type WarmReport } from './contract';
import { verifyDatabase } from './core';
import { warmDatabase } from './warm';

/** Milliseconds kept free at the end, to answer what was found, and where warming goes on. */
const RESERVED_MS = 20_000;

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const { log, metrics } = createTelemetry('verify', environment);
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

const subject = {
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  targetDatabase: z.string().min(1, 'the name of a database on the server').optional(),
  host: z.string().min(1, 'a host name or address').optional(),
  port: z.int().min(1).max(65_535).optional(),
};
const position = z.strictObject(
  {
    kind: z.enum(['table', 'index']),
    oid: z.int().positive(),
    page: z.int().nonnegative(),
    pages: z.int().positive(),
  },
  { error: '`next` of the answer before' },
);
const requestSchema = z.discriminatedUnion(
  'action',
  [
    z.strictObject({ action: z.literal('verify').default('verify'), ...subject }),
    z.strictObject({
      action: z.literal('warm'),
      ...subject,
      after: position.nullish(),
      until: z.int().positive('milliseconds since 1970').optional(),
    }),
  ],
  { error: '`verify` or `warm`' },
);

type Request = z.infer<typeof requestSchema>;

/**
 * Verifies a database where it is, or warms it; see {@link VerifyRequest} and {@link WarmRequest}. An unsound database is
 * an answer, not an error: look at `sound` and `problems`.
 */
export async function handler(event: unknown, context: Context): Promise<VerifyReport | WarmReport> {
  const request = readRequest(requestSchema, event);
  const { database, host, port, targetDatabase } = request;
  metrics.addDimension('database', database);
  const configured = targets[database];
  const target = { ...configured, host: host ?? configured.host, port: port ?? configured.port };
  const dependencies = {
    connector: createConnector(target, secrets, 'verify'),
    now: () => new Date(),
    remainingMs: () => context.getRemainingTimeInMillis() - RESERVED_MS,
  };
  try {
    return request.action === 'warm' ? await warm(dependencies, request) : await verify(dependencies, request);
  } catch (error) {
    const { action } = request;
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error(`The database could not be ${action === 'warm' ? 'warmed' : 'verified'}`, {
      database,
      host,
      targetDatabase,
      code,
      error: messageOf(error),
    });
    if (action === 'verify') metrics.addMetric(VERIFY_METRICS.failed, MetricUnit.Count, 1);
    throw error;
  } finally {
    metrics.publishStoredMetrics();
  }
}

type Dependencies = Parameters<typeof warmDatabase>[0];

async function verify(dependencies: Dependencies, request: Request): Promise<VerifyReport> {
  const migrationsDirectory = path.join(__dirname, 'migrations', request.database);
  const report = await verifyDatabase({ ...dependencies, migrationsDirectory }, request);
  if (report.sound) log.info('Database verified', { ...report });
  else log.error('The database is not sound', { ...report });
  metrics.addMetric(report.sound ? VERIFY_METRICS.succeeded : VERIFY_METRICS.failed, MetricUnit.Count, 1);
  metrics.addMetric(VERIFY_METRICS.durationMs, MetricUnit.Milliseconds, report.durationMs);
  return report;
}

async function warm(
  dependencies: Dependencies,
  request: Extract<Request, { readonly action: 'warm' }>,
): Promise<WarmReport> {
  const { remainingMs } = dependencies;
  const budgetMs = () => Math.min(remainingMs(), (request.until ?? Infinity) - Date.now());
  const report = await warmDatabase({ ...dependencies, remainingMs: budgetMs }, request);
  if (report.problems.length === 0) log.info('Database warmed', { ...report });
  else log.error('The database cannot be read as a whole', { ...report });
  return report;
}
