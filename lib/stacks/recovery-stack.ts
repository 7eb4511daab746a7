import { Construct } from 'constructs';
import { DATABASE_NAMES } from '../../core/contract';
import { COPIES_STACK } from '../../core/residency/contract';
import type { EnvironmentConfig } from '../config/environment-schema';
import { hasRecoveryPoints } from '../config/database-settings';
import { BACKUP_POLICIES } from '../config/policies';
import { Archives } from '../data/archives';
import { lockedVault } from '../data/locked-vault';
import { ResidencyReads } from '../data/residency-reads';
import type { RecoveryRegion } from '../data/recovery-region';
import { ForwardedKeyEvents } from '../monitoring/key-events';
import { EnvironmentStack } from './environment-stack';

export interface RecoveryStackProps {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
  /** Names of what the second region holds. */
  readonly recoveryRegion: RecoveryRegion;
}

/**
 * What survives the loss of a region: copies of the recovery points and of the archives, with locks and keys of the second
 * region. The Data stack copies into it and is therefore deployed after it.
 */
export class RecoveryStack extends EnvironmentStack {
  constructor(scope: Construct, props: RecoveryStackProps) {
    const { config, recoveryRegion } = props;
    const { removalProtection } = config;
    super(scope, COPIES_STACK, {
      config,
      region: recoveryRegion.region,
      description: `Copies of the backups of billing in a second region (${config.name})`,
      terminationProtection: removalProtection,
    });
    new Archives(this, 'Archives', {
      removalProtection,
      replicated: false,
      breakGlassRoleArn: config.breakGlassRoleArn,
      bucketName: recoveryRegion.archiveBucketName,
      keyAlias: recoveryRegion.archiveKeyAlias,
    });
    new ForwardedKeyEvents(this, 'KeyEvents', { region: config.region });
    for (const database of DATABASE_NAMES) {
      if (!hasRecoveryPoints(config.databases[database])) continue;
      lockedVault(new Construct(this, database === 'billing' ? 'BillingRecoveryPoints' : 'MainRecoveryPoints'), {
        database,
        policy: BACKUP_POLICIES[database],
        removalProtection,
        breakGlassRoleArn: config.breakGlassRoleArn,
        vaultName: recoveryRegion.vaultName(database),
      });
    }
    new ResidencyReads(this, 'ResidencyReads', { environmentName: config.name, part: COPIES_STACK });
  }
}
