import type { EnvironmentConfig } from '../config/environment-schema';
import type { DatabaseName } from '../../core/contract';

/**
 * Names of what the second region holds. Agreed on instead of handed over: a reference across regions would take a
 * custom resource, and would have to be read from the region that is lost.
 */
export interface RecoveryRegion {
  readonly region: string;
  readonly archiveBucketName: string;
  /** With `alias/`. */
  readonly archiveKeyAlias: string;
  vaultName(database: DatabaseName): string;
}

/** The second region of an environment. `undefined` when it has none. */
export function recoveryRegion(config: EnvironmentConfig): RecoveryRegion | undefined {
  if (config.secondRegion === undefined) return undefined;
  const prefix = `billing-operations-${config.name}`;
  return {
    region: config.secondRegion,
    // Account and region make it unique in the world, which bucket names must be.
    archiveBucketName: `${prefix}-archives-${config.account}-${config.secondRegion}`,
    archiveKeyAlias: `alias/${prefix}-archives`,
    vaultName: (database) => `${prefix}-${database}`,
  };
}
