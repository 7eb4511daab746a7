import { billingTarget, createConnector, withConnection } from '../../core/database/connector';
import { apiKeySecret } from '../../core/keys/secret';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  secretArnSetting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { administerKeys } from './core';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  API_KEY_SECRET_ARN: secretArnSetting(),
});
const telemetry = createTelemetry('keys', environment);
const secrets = createSecrets();
const connector = createConnector(billingTarget(environment), secrets, 'keys');

/** Creates, lists, rotates and revokes keys of the HTTP API. */
export const handler = operation(contract, {
  name: 'Keys',
  telemetry,
  run: (request) =>
    administerKeys(
      {
        useDatabase: (work) => withConnection(connector, work),
        keySecret: async () => (await secrets.read(environment.API_KEY_SECRET_ARN, apiKeySecret)).current,
      },
      request,
    ),
  // The report may hold a key.
  summarise: (_, { action }) => ({ message: 'Keys finished', details: { action } }),
});
