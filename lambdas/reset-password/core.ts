import { ModifyDBInstanceCommand, type RDSClient } from '@aws-sdk/client-rds';
import * as z from 'zod';
import { OperationError, messageOf } from '../../core/runtime/errors';
import type { Secrets } from '../../core/runtime/secrets';
import type { ResetPasswordReport } from './contract';

const credentials = z.object({ password: z.string({ error: 'expected the password' }).min(1) });

export interface ResetPasswordDependencies {
  readonly rds: RDSClient;
  readonly secrets: Secrets;
  /** Secret of the database that the instance is to take the place of. */
  readonly secretArn: string;
}

/**
 * A restored instance has the password of the day that it was restored to. Gives it the one that is in the secret now, so
 * that whoever uses the database can use the instance without being told. RDS takes a minute to apply it.
 *
 * @throws OperationError `rds_unavailable` (retryable); its cause never holds the password, which RDS does not repeat
 */
export async function resetPassword(
  { rds, secrets, secretArn }: ResetPasswordDependencies,
  instanceIdentifier: string,
): Promise<ResetPasswordReport> {
  // Never from memory: it may have rotated while the instance was restored.
  const { password } = await secrets.read(secretArn, credentials, 'current');
  try {
    await rds.send(
      new ModifyDBInstanceCommand({
        DBInstanceIdentifier: instanceIdentifier,
        MasterUserPassword: password,
        ApplyImmediately: true,
      }),
    );
  } catch (cause) {
    throw new OperationError(
      'rds_unavailable',
      `RDS cannot set the password of ${instanceIdentifier}: ${messageOf(cause)}`,
      { cause },
    );
  }
  return { instanceIdentifier };
}
