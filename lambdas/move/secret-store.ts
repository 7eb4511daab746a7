import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import type { SecretMove } from '../../core/database/moved';
import { OperationError } from '../../core/runtime/errors';

const login = z.looseObject({ username: z.string().min(1), password: z.string().min(1) });
export type LoginSecret = z.infer<typeof login>;

/** The secrets of the database that moves, which say where it is. */
export interface SecretStore {
  /** @throws OperationError `secret_unavailable` */
  read(arn: string): Promise<LoginSecret>;
  /**
   * Writes, or takes away, where the database is. Nothing is written where nothing changes.
   *
   * @throws OperationError `secret_unavailable`
   */
  setMove(arn: string, change: (present: LoginSecret) => SecretMove | undefined): Promise<void>;
  /** Makes the new server that of the secret, once the configuration names it. */
  settle(arn: string): Promise<void>;
  /** @throws OperationError `secret_unavailable` */
  rotation(arn: string): Promise<Rotation>;
}

/** When a secret changes by itself. */
export interface Rotation {
  /** A rotation was begun and has not ended. */
  readonly isUnderway: boolean;
  /** The latest time at which the next one begins; undefined without a schedule. */
  readonly nextAt: Date | undefined;
}

export function createSecretStore(client: SecretsManagerClient): SecretStore {
  async function attempt<T>(arn: string, what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof OperationError) throw cause;
      throw new OperationError('secret_unavailable', `Secret ${arn} could not be ${what}`, { cause });
    }
  }

  const read = (arn: string) =>
    attempt(arn, 'read as a login', async () => {
      const { SecretString: text = '' } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
      return login.parse(JSON.parse(text));
    });

  const describe = (arn: string) => client.send(new DescribeSecretCommand({ SecretId: arn }));

  const write = (arn: string, value: object) =>
    attempt(arn, 'written', async () => {
      // A rotation leaves this label on the version that it made current. On one that is not, the next rotation would be refused.
      const { VersionIdsToStages: versions = {} } = await describe(arn);
      const pending = Object.entries(versions).find(
        ([, stages]) => stages.includes('AWSPENDING') && stages.includes('AWSCURRENT'),
      );
      if (pending) {
        await client.send(
          new UpdateSecretVersionStageCommand({
            SecretId: arn,
            VersionStage: 'AWSPENDING',
            RemoveFromVersionId: pending[0],
          }),
        );
      }
      await client.send(new PutSecretValueCommand({ SecretId: arn, SecretString: JSON.stringify(value) }));
    });

  return {
    read,
    async setMove(arn, change) {
      const { move: before, ...present } = await read(arn);
      const move = change(present);
      if (JSON.stringify(before) === JSON.stringify(move)) return;
      await write(arn, move === undefined ? present : { ...present, move });
    },
    async settle(arn) {
      const { move, ...present } = await read(arn);
      const to = (move as SecretMove | undefined)?.to;
      if (move === undefined) return;
      const { host, port, database, username, password } = to ?? {};
      const place = 'host' in present ? { host, port, dbname: database } : {};
      await write(arn, to === undefined ? present : { ...present, ...place, username, password });
    },
    rotation: (arn) =>
      attempt(arn, 'described', async () => {
        const { VersionIdsToStages: versions = {}, RotationEnabled, NextRotationDate } = await describe(arn);
        return {
          isUnderway: Object.values(versions).some(
            (stages) => stages.includes('AWSPENDING') && !stages.includes('AWSCURRENT'),
          ),
          nextAt: RotationEnabled ? NextRotationDate : undefined,
        };
      }),
  };
}
