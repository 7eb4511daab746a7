import { ModifyDBInstanceCommand, type RDSClient } from '@aws-sdk/client-rds';
import * as z from 'zod';
import { OperationError, messageOf } from '../../core/runtime/errors';
import type { Secrets } from '../../core/runtime/secrets';
import type { CheckedResetPasswordRequest, ResetPasswordReport } from './contract';

const credentials = z.object({
  username: z.string({ error: 'expected the user' }).min(1),
  password: z.string({ error: 'expected the password' }).min(1),
});

export interface ResetPasswordDependencies {
  readonly rds: RDSClient;
  readonly secrets: Secrets;
  /** Secret of the database that the instance is to replace. */
  readonly secretArn: string;
}

/**
 * A restored instance has the password of the moment that it was restored to. Gives it the one that the secret holds now,
 * so that every user of the database can connect to the instance as before. RDS takes a minute to apply it. A dry run
 * only reads the secret. RDS sets the password of the master user alone: that of a role keeps the one of the moment.
 *
 * @throws OperationError `secret_unavailable`, `rds_unavailable`; its cause never holds the password, which RDS does not
 * repeat
 */
export async function resetPassword(
  { rds, secrets, secretArn }: ResetPasswordDependencies,
  { database, instanceIdentifier, masterUsername, dryRun }: CheckedResetPasswordRequest,
): Promise<ResetPasswordReport> {
  // Never from memory: it may have rotated while the instance was restored.
  const { username, password } = await secrets.read(secretArn, credentials, 'current');
  const passwordSet = !dryRun && (masterUsername === undefined || masterUsername === username);
  if (passwordSet) await setPassword(rds, instanceIdentifier, password);
  return { database, instanceIdentifier, passwordSet, dryRun };
}

async function setPassword(rds: RDSClient, instanceIdentifier: string, password: string): Promise<void> {
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
      `RDS cannot set the password of ${instanceIdentifier}: ${messageOf(cause)}. Wait until the instance is available, or give the role of the function the permission that is missing, then try again`,
      { cause },
    );
  }
}
