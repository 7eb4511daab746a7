import type { SecretMove } from '../../core/database/moved';
import { readSequences } from '../../core/archive/catalog';
import { qualified } from '../../core/archive/copy-session';
import type { Connected, MoveDependencies, Side } from './servers';

/** What says where the database is. */
export type Secrets = Pick<MoveDependencies, 'secrets' | 'configured' | 'loginSecrets'>;

/** Secrets that say where the database is: that of the configured server, and those of the logins. */
export function secretsOf({ configured, loginSecrets }: Omit<Secrets, 'secrets'>): string[] {
  return [...new Set([configured.target.secretArn, ...Object.values(loginSecrets)])];
}

/** Which way functions are sent: `moving` makes a connection wait that finds writes refused. */
export interface Direction {
  readonly state: SecretMove['state'] | 'none';
  /** The server that is not the configured one. Absent where functions go to the configured one. */
  readonly to?: Side | undefined;
}

/**
 * Sends functions to a server, by all of their secrets. On the new server the owner logs in as the administrator of that, and
 * each login with the password of its secret.
 */
export async function direct(dependencies: MoveDependencies, { state, to }: Direction): Promise<void> {
  const { secrets, configured, other, from } = dependencies;
  const administrator = await secrets.read(other.target.secretArn);
  await Promise.all(
    secretsOf(dependencies).map((arn) =>
      secrets.setMove(arn, (present) => {
        if (state === 'none') return undefined;
        const { username, password } = arn === configured.target.secretArn ? administrator : present;
        const { target } = to?.connector ?? {};
        return {
          state,
          from: [...from],
          ...(target && {
            to: { host: target.host, port: target.port, database: target.database, username, password },
          }),
        };
      }),
    ),
  );
}

/** The redirection of each secret; undefined where a secret sends functions to the configured server. */
async function redirections(
  dependencies: Secrets,
): Promise<{ readonly arn: string; readonly move: SecretMove | undefined }[]> {
  return Promise.all(
    secretsOf(dependencies).map(async (arn) => ({
      arn,
      move: (await dependencies.secrets.read(arn)).move as SecretMove | undefined,
    })),
  );
}

/**
 * Secrets that send functions to the configured server: those that a step which was killed did not write, and those that were made
 * or written by something else since. With none, every function is sent to the new server, or waits.
 */
export async function undirectedSecrets(dependencies: Secrets): Promise<string[]> {
  return (await redirections(dependencies)).filter(({ move }) => move === undefined).map(({ arn }) => arn);
}

/** Whether a function is sent to the new server now. */
export async function isMoved(dependencies: Secrets): Promise<boolean> {
  return (await redirections(dependencies)).some(({ move }) => move?.state === 'moved');
}

/** Once the configuration names the new server, the secrets need not send anybody there. @returns how many were settled */
export async function settleSecrets(dependencies: Secrets): Promise<number> {
  const arns = secretsOf(dependencies);
  for (const arn of arns) await dependencies.secrets.settle(arn);
  return arns.length;
}

/** Sets the sequences of one server to where those of the other stand. Nothing may write meanwhile. @returns how many */
export async function carrySequences(from: Connected, to: Connected): Promise<number> {
  const sequences = await readSequences(from.client);
  if (sequences.length === 0) return 0;
  await to.client.query(
    `SELECT setval(name::regclass, value::bigint, called) FROM unnest($1::text[], $2::text[], $3::bool[]) AS s (name, value, called)`,
    [
      sequences.map((one) => qualified(one)),
      sequences.map(({ lastValue }) => lastValue),
      sequences.map(({ isCalled }) => isCalled),
    ],
  );
  return sequences.length;
}
