import { FUNCTION_LOGINS, type FunctionLogin } from '../../core/access/contract';
import type { DatabaseName } from '../../core/contract';
import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import type { MigrateEnvironment } from '../../lambdas/migrate/contract';
import type { MoveStage } from '../../lambdas/move/contract';
import { defineCommand } from '../command';
import type { Context } from '../context';
import { variableOf } from '../discover';
import { CommandError, explain } from '../errors';
import { database, oneOf, optional, required, text } from '../values';

const VARIABLES = { billing: 'BILLING_DATABASE_SECRET_ARN', main: 'MAIN_DATABASE_SECRET_ARN' } as const;

export const secretsRotate = defineCommand({
  name: 'secrets rotate',
  summary: 'Has Secrets Manager give a database a new password now',
  details:
    'Connections that are being opened meanwhile wait and do not fail. Refused for billing while it moves to another server: see docs/move.md#rotation.',
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
    if (name === 'billing') await assertNoMove(context);
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

/** Stages of a move in which the secrets stay as they are. */
const isMoving = (stage: MoveStage): boolean => !['none', 'rolled-back', 'finished'].includes(stage);

/** A rotation would change the password on the old server, which refuses it after the cut-over: it never ends, and closes the way back. */
async function assertNoMove({ invoke }: Pick<Context, 'invoke'>): Promise<void> {
  const { MOVES } = await import('../../lambdas/move/contract');
  const move = await invoke('move', MOVES.plan, { action: 'plan' }).catch((error: unknown) => {
    // Without a second server in the settings there is no such function, and no move.
    if (
      (error as Error).cause instanceof Error &&
      ((error as Error).cause as Error).name === 'ResourceNotFoundException'
    )
      return undefined;
    throw error;
  });
  if (move === undefined || !isMoving(move.stage)) return;
  throw new CommandError(
    'refused',
    `billing moves from ${move.source} to ${move.target} (${move.stage}), and a rotation would close the way back: end the move first, by ops move finish or ops move roll-back. A password that leaked meanwhile: docs/move.md#rotation`,
  );
}

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
