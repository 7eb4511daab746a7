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
import { messageOf } from '../../core/runtime/errors';
import type { MigrationStatus } from '../../core/migrations/runner';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { migrate } from './core';

const environment = readEnvironment({ ...baseSettings, ...billingDatabaseSettings, ...mainDatabaseSettings });
const { log } = createTelemetry('migrate', environment);
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

const requestSchema = z.object({
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  action: z.enum(['status', 'apply'], { error: '`status` or `apply`' }),
});

/** Lists or applies the migrations of one database; see {@link MigrateRequest}. */
export async function handler(event: unknown): Promise<MigrationStatus> {
  const { database, action } = readRequest(requestSchema, event);
  try {
    return await migrate(
      {
        connector: createConnector(targets[database], secrets, 'migrate'),
        migrationsDirectory: path.join(__dirname, 'migrations', database),
        log,
      },
      action,
    );
  } catch (error) {
    log.error('Migration failed', { database, action, error: messageOf(error) });
    throw error;
  }
}
