import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { accessSettings } from '../../core/access/settings';
import { billingTarget, createConnector, type DatabaseTarget } from '../../core/database/connector';
import { addressOf } from '../../core/database/contract';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets, type Secrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { move } from './core';
import { createSecretStore } from './secret-store';

const addresses = 'a JSON list of addresses such as ["proxy.example.com:5432"]';

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  MOVE_HOST: setting.text('a host name or address'),
  MOVE_PORT: setting.integer(1, 65_535),
  MOVE_DATABASE_NAME: setting.text('the name of the database'),
  MOVE_SECRET_ARN: secretArnSetting(),
  MOVE_FROM: z
    .string()
    .default('[]')
    .transform((text) => JSON.parse(text) as unknown)
    .pipe(z.array(z.string(), { error: addresses })),
  LOGIN_SECRETS: accessSettings.LOGIN_SECRETS,
});
const telemetry = createTelemetry('move', environment);
const configured = billingTarget(environment);
const other: DatabaseTarget = {
  name: 'billing',
  host: environment.MOVE_HOST,
  port: environment.MOVE_PORT,
  database: environment.MOVE_DATABASE_NAME,
  secretArn: environment.MOVE_SECRET_ARN,
};

/** Each server by its own address: the secret of the configured one may send everybody else to the other. */
function undirected(secrets: Secrets): Secrets {
  return {
    read: async (arn, schema, version) => {
      const raw = await secrets.read(arn, z.record(z.string(), z.unknown()), version);
      return schema.parse({ ...raw, move: undefined });
    },
  };
}

const secrets = undirected(createSecrets());
const connectorTo = (target: DatabaseTarget) => createConnector(target, secrets, 'move', { plainSession: true });

/** Moves the billing database to another server, a step at a time. */
export const handler = operation(contract, {
  name: 'Move',
  telemetry,
  // For the table that is being compared, and the answer.
  reserveMs: 240_000,
  run: (request, { remainingMs }) =>
    move(
      {
        configured: connectorTo(configured),
        other: connectorTo(other),
        from: [addressOf(configured), ...environment.MOVE_FROM],
        loginSecrets: environment.LOGIN_SECRETS.billing,
        secrets: createSecretStore(new SecretsManagerClient({})),
        clock: () => new Date(),
        log: telemetry.log,
        remainingMs,
      },
      request,
    ),
});
