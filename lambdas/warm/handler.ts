import type { Context } from 'aws-lambda';
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
import { createTelemetry } from '../../core/runtime/telemetry';
import { warmRequest, type WarmReport } from './contract';
import { warmDatabase } from './core';

/** Milliseconds kept free at the end, to answer what was read and where the next call continues. */
const RESERVED_MS = 20_000;

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const { log } = createTelemetry('warm', environment);
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/** Reads a database once, so that its disk is loaded; see {@link warmRequest}. Unreadable pages are part of the answer. */
export async function handler(event: unknown, context: Context): Promise<WarmReport> {
  const request = readRequest(warmRequest, event);
  const { database, host, targetDatabase, stopAtMs = Infinity } = request;
  try {
    const report = await warmDatabase(
      {
        connector: createConnector(targetAt(targets[database], request), secrets, 'warm'),
        clock: () => new Date(),
        remainingMs: () => Math.min(context.getRemainingTimeInMillis() - RESERVED_MS, stopAtMs - Date.now()),
      },
      request,
    );
    if (report.unreadable.length === 0) log.info('Database warmed', { ...report });
    else log.error('Some pages of the database cannot be read', { ...report });
    return report;
  } catch (error) {
    const code = error instanceof OperationError ? error.code : 'unexpected';
    log.error('Warming failed', { database, host, targetDatabase, code, error: messageOf(error) });
    throw error;
  }
}
