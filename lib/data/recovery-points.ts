import { Arn, ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { BackupPlan, BackupPlanRule, BackupResource, BackupVault, type IBackupVault } from 'aws-cdk-lib/aws-backup';
import { Schedule } from 'aws-cdk-lib/aws-events';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IDatabaseInstance } from 'aws-cdk-lib/aws-rds';
import { Construct } from 'constructs';
import type { DatabaseName } from '../../core/contract';
import { acknowledgeManagedPolicy } from '../policy/acknowledge-permissions';
import type { BackupPolicy } from '../config/policies';
import type { BackupAccount } from './backup-account';
import { lockedVault } from './locked-vault';
import type { RecoveryRegion } from './recovery-region';

const TAKES_RECOVERY_POINTS = 'service-role/AWSBackupServiceRolePolicyForBackup';

export interface RecoveryPointsProps {
  /** Which of the two databases it is. */
  readonly name: DatabaseName;
  /** Instance that is backed up. */
  readonly instance: IDatabaseInstance;
  /** Says when recovery points are taken, and how long they are kept. */
  readonly policy: BackupPolicy;
  /** Make the vault's lock irrevocable three days after it is set. */
  readonly removalProtection: boolean;
  /** Role that may end the key of the vault. @default - nobody may */
  readonly breakGlassRoleArn: string | undefined;
  /** Where each recovery point is copied to. @default - no copies */
  readonly recoveryRegion?: RecoveryRegion;
  /** Account that each recovery point is copied to. @default - no copies */
  readonly backupAccount?: BackupAccount;
}

/** AWS Backup of one instance, into a locked vault of its own, copied to the second region. */
export class RecoveryPoints extends Construct {
  readonly vault: IBackupVault;

  constructor(scope: Construct, id: string, props: RecoveryPointsProps) {
    super(scope, id);
    const { name, policy, recoveryRegion, backupAccount } = props;
    const retention = Duration.days(policy.retentionDays);
    this.vault = lockedVault(this, {
      database: name,
      policy,
      removalProtection: props.removalProtection,
      breakGlassRoleArn: props.breakGlassRoleArn,
    });
    const copyVaults = [
      ...(recoveryRegion ? [this.vaultOf('CopyVault', recoveryRegion, name)] : []),
      // In this region: AWS Backup copies recovery points of RDS to no other region and account at once.
      ...(backupAccount ? [this.vaultOf('AccountVault', backupAccount, name)] : []),
    ];
    const plan = new BackupPlan(this, 'Plan', {
      backupVault: this.vault,
      backupPlanRules: [
        new BackupPlanRule({
          ruleName: `${name}-every-${policy.frequencyHours}-hours`,
          scheduleExpression: Schedule.expression(policy.cron),
          // The minimum of AWS Backup. A job that has not started by then is reported as expired.
          startWindow: Duration.hours(1),
          completionWindow: Duration.hours(5),
          deleteAfter: retention,
          copyActions:
            copyVaults.length === 0
              ? undefined
              : copyVaults.map((destinationBackupVault) => ({ destinationBackupVault, deleteAfter: retention })),
        }),
      ],
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('backup.amazonaws.com'),
      description: `Takes recovery points of the ${name} database`,
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName(TAKES_RECOVERY_POINTS)],
    });
    acknowledgeManagedPolicy(
      role,
      TAKES_RECOVERY_POINTS,
      'AWS maintains this policy as AWS Backup gains features; only the service can assume the role',
    );
    plan.addSelection('Instance', {
      resources: [BackupResource.fromRdsDatabaseInstance(props.instance)],
      role,
    });
  }

  private vaultOf(id: string, place: RecoveryRegion | BackupAccount, name: DatabaseName): IBackupVault {
    const arn = Arn.format(
      {
        service: 'backup',
        ...('region' in place ? { region: place.region } : { account: place.account }),
        resource: 'backup-vault',
        resourceName: place.vaultName(name),
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      },
      Stack.of(this),
    );
    return BackupVault.fromBackupVaultArn(this, id, arn);
  }
}
