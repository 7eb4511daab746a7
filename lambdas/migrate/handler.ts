import path from 'node:path';
import * as z from 'zod';
import { DATABASE_NAMES } from '../shared/contract';
import { billingTarget, createConnector, mainTarget } from '../shared/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  readRequest,
} from '../shared/environment';
import { messageOf } from '../shared/errors';
import type { MigrationStatus } from '../shared/migrations/runner';
import { createSecrets } from '../shared/secrets';
import { createTelemetry } from '../shared/telemetry';
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
