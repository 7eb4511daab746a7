import { accessSettings } from '../../core/access/settings';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import { migrationsFolder } from '../../core/migrations/files';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { migrate } from './core';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...accessSettings,
});
const telemetry = createTelemetry('migrate', environment);
const secrets = createSecrets();
const targets = { billing: billingTarget(environment), main: mainTarget(environment) };

/** Lists, plans, applies, validates or takes back the migrations of one database; see {@link MigrateRequest}. */
export const handler = operation(contract, {
  name: 'Migration',
  telemetry,
  run: (request) =>
    migrate(
      {
        connector: createConnector(targets[request.database], secrets, 'migrate'),
        migrationsDirectory: migrationsFolder(__dirname, targets[request.database]),
        clock: () => new Date(),
        access: {
          secrets,
          loginSecrets: environment.LOGIN_SECRETS[request.database],
          people: environment.DATABASE_PEOPLE[request.database],
        },
      },
      request,
    ),
  summarise: (_report, { action }) => ({ message: 'Migrations finished', details: { action } }),
});
