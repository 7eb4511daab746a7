import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { variableOf } from '../discover';
import { explain } from '../errors';
import { database, optional, required, text } from '../values';

const VARIABLES = { billing: 'BILLING_DATABASE_SECRET_ARN', main: 'MAIN_DATABASE_SECRET_ARN' } as const;

export const secretsRotate = defineCommand({
  name: 'secrets rotate',
  summary: 'Has Secrets Manager give a database a new password now',
  details: 'Connections that are being opened meanwhile wait and do not fail.',
  effect: 'changes',
  changes: 'the password of the database, and the secret with it.',
  json: '`{database, secretArn, versionId}`',
  arguments: { database: required(database, 'Database whose password is changed') },
  options: { confirm: optional(text('database'), 'The name of the database, typed again') },
  examples: [{ line: 'secrets rotate billing --confirm billing', explains: 'Change a password that may have leaked.' }],
  async run(context, { database: name, confirm }) {
    const secretArn = await variableOf<InspectEnvironment>(context, 'inspect', VARIABLES[name]);
    await context.confirm(name, confirm, `The password of ${name} would change in ${context.target.environment}.`);
    const { RotateSecretCommand } = await import('@aws-sdk/client-secrets-manager');
    try {
      const client = await context.clients.secretsManager();
      const { VersionId: versionId } = await client.send(
        new RotateSecretCommand({ SecretId: secretArn, RotateImmediately: true }),
      );
      return {
        report: { database: name, secretArn, versionId },
        lines: [`The rotation of ${name} has begun; when "ops secrets list" shows it as new: ops collect`],
      };
    } catch (cause) {
      throw explain(cause, `rotate the password of ${name}`, context.target.label);
    }
  },
});
