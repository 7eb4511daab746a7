import { RDSClient } from '@aws-sdk/client-rds';
import * as z from 'zod';
import { DATABASE_NAMES } from '../../core/contract';
import { baseSettings, readEnvironment, readRequest, secretArnSetting } from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import type { ResetPasswordReport } from './contract';
import { resetPassword } from './core';

const environment = readEnvironment({
  ...baseSettings,
  BILLING_DATABASE_SECRET_ARN: secretArnSetting(),
  MAIN_DATABASE_SECRET_ARN: secretArnSetting(),
});
const { log } = createTelemetry('reset-password', environment);
const secretArns = { billing: environment.BILLING_DATABASE_SECRET_ARN, main: environment.MAIN_DATABASE_SECRET_ARN };
const secrets = createSecrets();
const rds = new RDSClient({});

const requestSchema = z.strictObject({
  database: z.enum(DATABASE_NAMES, { error: `one of ${DATABASE_NAMES.join(', ')}` }),
  instanceIdentifier: z.string({ error: 'the identifier of an RDS instance' }).min(1),
});

/** Gives a recovered instance the current password of its database; see {@link resetPassword}. */
export async function handler(event: unknown): Promise<ResetPasswordReport> {
  const { database, instanceIdentifier } = readRequest(requestSchema, event);
  const report = await resetPassword({ rds, secrets, secretArn: secretArns[database] }, instanceIdentifier);
  log.info('Password of the recovered instance set', { database, instanceIdentifier });
  return report;
}
