import { Duration } from 'aws-cdk-lib';
import { BackupVault } from 'aws-cdk-lib/aws-backup';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { DatabaseName } from '../../core/contract';
import type { BackupPolicy } from '../config/policies';
import { removalPolicyOf } from '../config/removal-policy';

export interface LockedVaultProps {
  readonly database: DatabaseName;
  readonly policy: BackupPolicy;
  /** Make the lock irrevocable three days after it is set. */
  readonly removalProtection: boolean;
  /** @default - made up by CloudFormation */
  readonly vaultName?: string;
}

/**
 * A vault, with its key, for the recovery points of one database. A locked vault fails every job whose retention is
 * outside its bounds, so databases with different retention cannot share one.
 */
export function lockedVault(scope: Construct, props: LockedVaultProps): BackupVault {
  const { policy, removalProtection } = props;
  const removalPolicy = removalPolicyOf(removalProtection);
  return new BackupVault(scope, 'Vault', {
    backupVaultName: props.vaultName,
    // Apart from the database's key, so that losing that one does not lose the backups with it.
    encryptionKey: new Key(scope, 'Key', {
      description: `Recovery points of the ${props.database} database`,
      enableKeyRotation: true,
      removalPolicy,
    }),
    lockConfiguration: {
      minRetention: Duration.days(policy.retentionDays),
      // The framework takes no upper bound that equals the lower one.
      maxRetention: Duration.days(policy.retentionDays + 1),
      // Without the grace period, the lock can be removed by whoever may administer the vault.
      changeableFor: removalProtection ? Duration.days(3) : undefined,
    },
    // Said to everybody, before the lock would refuse it; AWS Backup's own expiry is not affected.
    blockRecoveryPointDeletion: removalProtection,
    removalPolicy,
  });
}
