import type { EnvironmentConfig } from '../config/environment-schema';
import type { DatabaseName } from '../../core/contract';

/**
 * Names of the resources in the second region. They follow a convention: a reference across regions would need a custom
 * resource, and would have to be read from the region that is lost.
 */
export interface RecoveryRegion {
  /** Region that receives the copies. */
  readonly region: string;
  /** Bucket that archives are copied to. */
  readonly archiveBucketName: string;
  /** With `alias/`. */
  readonly archiveKeyAlias: string;
  vaultName(database: DatabaseName): string;
}

/** The second region of an environment; `undefined` when it has none. */
export function recoveryRegion(config: EnvironmentConfig): RecoveryRegion | undefined {
  if (config.secondRegion === undefined) return undefined;
  const prefix = `billing-operations-${config.name}`;
  return {
    region: config.secondRegion,
    // Bucket names are global: account and region make it unique. S3 allows 63 characters, so the prefix is short: it leaves
    // room for the longest name of a region.
    archiveBucketName: `billing-ops-${config.name}-archives-${config.account}-${config.secondRegion}`,
    archiveKeyAlias: `alias/${prefix}-archives`,
    vaultName: (database) => `${prefix}-${database}`,
  };
}
