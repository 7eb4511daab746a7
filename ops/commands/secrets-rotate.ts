import { FUNCTION_LOGINS, type FunctionLogin } from '../../core/access/contract';
import type { DatabaseName } from '../../core/contract';
import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import type { MigrateEnvironment } from '../../lambdas/migrate/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { variableOf } from '../discover';
import { CommandError, explain } from '../errors';
import { database, oneOf, optional, required, text } from '../values';

const VARIABLES = { billing: 'BILLING_DATABASE_SECRET_ARN', main: 'MAIN_DATABASE_SECRET_ARN' } as const;

export const secretsRotate = defineCommand({
  name: 'secrets rotate',
  summary: 'Has Secrets Manager give a database a new password now',
  details: 'Connections that are being opened meanwhile wait and do not fail.',
  effect: 'changes',
  changes: 'the password of the database, and the secret with it.',
  json: '`{database, login, secretArn, versionId}`; `login` is null for the owner of the tables',
  arguments: { database: required(database, 'Database whose password is changed') },
  options: {
    login: optional(oneOf('login', FUNCTION_LOGINS), 'The login of functions, instead of the owner of the tables'),
    confirm: optional(text('database'), 'The name of the database, typed again'),
  },
  examples: [
    { line: 'secrets rotate billing --confirm billing', explains: 'Change a password that may have leaked.' },
    {
      line: 'secrets rotate billing --login service --confirm billing',
      explains: 'That of the functions which apply events; twice ends both users of the pair.',
    },
  ],
  async run(context, { database: name, login, confirm }) {
    const secretArn = login === undefined ? await ownerSecret(context, name) : await loginSecret(context, name, login);
    const whose = login === undefined ? name : `${login} of ${name}`;
    await context.confirm(name, confirm, `The password of ${whose} would change in ${context.target.environment}.`);
    const { RotateSecretCommand } = await import('@aws-sdk/client-secrets-manager');
    try {
      const client = await context.clients.secretsManager();
      const { VersionId: versionId } = await client.send(
        new RotateSecretCommand({ SecretId: secretArn, RotateImmediately: true }),
      );
      return {
        report: { database: name, login: login ?? null, secretArn, versionId },
        lines: [
          `The rotation of ${whose} has begun; when "ops secrets list" shows it as new: ops collect`,
          ...(login === undefined ? localAddress(context, secretArn) : []),
        ],
      };
    } catch (cause) {
      throw explain(cause, `rotate the password of ${whose}`, context.target.label);
    }
  },
});

function ownerSecret(context: Context, name: DatabaseName): Promise<string> {
  return variableOf<InspectEnvironment>(context, 'inspect', VARIABLES[name]);
}

async function loginSecret(context: Context, name: DatabaseName, login: FunctionLogin): Promise<string> {
  const known = await variableOf<MigrateEnvironment>(context, 'migrate', 'LOGIN_SECRETS').catch(() => '{}');
  const arn = (JSON.parse(known) as Partial<Record<DatabaseName, Record<string, string>>>)[name]?.[login];
  if (arn !== undefined) return arn;
  throw new CommandError(
    'refused',
    `--login ${login}: ${name} has no such login; its functions work as the owner of the tables`,
  );
}

/** On the local platform, people connect by an address that has the password in it. */
function localAddress({ target: { platform } }: Context, secretArn: string): string[] {
  if (platform === undefined) return [];
  return [
    'The psql address that "npm start" printed keeps the former password. Once it is rotated, read the new password with:',
    `  aws secretsmanager get-secret-value --endpoint-url ${platform.endpoints.secretsManager} --secret-id ${secretArn} --query SecretString --output text`,
  ];
}
