import { RDSClient } from '@aws-sdk/client-rds';
import { baseSettings, readEnvironment, secretArnSetting } from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { resetPassword } from './core';

const environment = readEnvironment({
  ...baseSettings,
  BILLING_DATABASE_SECRET_ARN: secretArnSetting(),
  MAIN_DATABASE_SECRET_ARN: secretArnSetting(),
});
const secretArns = { billing: environment.BILLING_DATABASE_SECRET_ARN, main: environment.MAIN_DATABASE_SECRET_ARN };
const secrets = createSecrets();
const rds = new RDSClient({});

/** Gives a recovered instance the current password of its database; see {@link resetPassword}. */
export const handler = operation(contract, {
  name: 'Password reset',
  telemetry: createTelemetry('reset-password', environment),
  run: (request) => resetPassword({ rds, secrets, secretArn: secretArns[request.database] }, request),
});
