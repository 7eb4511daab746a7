import type { DatabaseName } from '../../core/contract';
import type { EnvironmentConfig } from '../config/environment-schema';

/** Names of what another account holds for an environment; `examples/backup-account/stack.yaml` makes it under these. */
export interface BackupAccount {
  /** The 12 digits of the account. */
  readonly account: string;
  /** Bucket that archives are copied to. */
  readonly archiveBucketName: string;
  /** Key of that bucket. S3 takes no alias of another account. */
  readonly archiveKeyArn: string;
  vaultName(database: DatabaseName): string;
}

/** The backup account of an environment; `undefined` when it has none. */
export function backupAccount({ name, region, backupAccount: settings }: EnvironmentConfig): BackupAccount | undefined {
  if (settings === undefined) return undefined;
  return {
    ...settings,
    archiveBucketName: `billing-ops-${name}-copies-${settings.account}-${region}`,
    vaultName: (database) => `billing-operations-${name}-${database}`,
  };
}

/** Name of the role that copies archives: the bucket in the other account admits it by this name. */
export function replicationRoleName({ name, region }: Pick<EnvironmentConfig, 'name' | 'region'>): string {
  return `BillingOps-${name}-copies-${region}`;
}
