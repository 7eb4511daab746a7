import { CfnRestoreTestingPlan, CfnRestoreTestingSelection, type IBackupVault } from 'aws-cdk-lib/aws-backup';
import { SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledgeManagedPolicy } from '../policy/acknowledge-permissions';
import { RESTORE_TEST_SCHEDULES } from '../config/schedules';
import type { Database } from './database';
import type { DatabaseNetwork } from './network';

/** Hours within which AWS Backup starts the test. Its minimum: a wider window only delays the result. */
const START_WINDOW_HOURS = 1;
/**
 * Age in days up to which a recovery point is tested. An older one means that backups have stopped, which raises an
 * alarm.
 */
const SELECTION_WINDOW_DAYS = 2;

export interface RestoreTestingProps {
  /** Name of the environment, which names contain. */
  readonly environmentName: string;
  /** Database whose recovery points are tested. */
  readonly database: Database;
  /** Vault that the recovery points are in. */
  readonly vault: IBackupVault;
  /** Network that the test instance is restored into. */
  readonly network: DatabaseNetwork;
}

/**
 * Once a month, AWS Backup restores the newest recovery point into an instance and deletes it again. This proves that
 * recovery points can be restored; the drill proves, on archives, that restored data is correct.
 */
export class RestoreTesting extends Construct {
  constructor(scope: Construct, id: string, props: RestoreTestingProps) {
    super(scope, id);
    const { database, environmentName, network, vault } = props;
    const { name } = database.access;
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('backup.amazonaws.com'),
      description: `Restores recovery points of the ${name} database to test them`,
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSBackupServiceRolePolicyForRestores')],
    });
    acknowledgeManagedPolicy(
      role,
      'service-role/AWSBackupServiceRolePolicyForRestores',
      'AWS maintains this policy as AWS Backup gains features; only the service can assume the role',
    );
    const closed = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: `Restore tests of the ${name} database. Nobody connects: the passwords are those of the original`,
      allowAllOutbound: false,
    });
    const plan = new CfnRestoreTestingPlan(this, 'Plan', {
      // Letters, digits and `_`, at most 50 of them.
      restoreTestingPlanName: `BillingOps_${environmentName.replaceAll('-', '_')}_${name}`,
      scheduleExpression: RESTORE_TEST_SCHEDULES[name],
      scheduleExpressionTimezone: 'Etc/UTC',
      startWindowHours: START_WINDOW_HOURS,
      recoveryPointSelection: {
        algorithm: 'LATEST_WITHIN_WINDOW',
        includeVaults: [vault.backupVaultArn],
        recoveryPointTypes: ['SNAPSHOT'],
        selectionWindowDays: SELECTION_WINDOW_DAYS,
      },
    });
    new CfnRestoreTestingSelection(this, 'Selection', {
      restoreTestingPlanName: plan.ref,
      restoreTestingSelectionName: `${name}_instance`,
      protectedResourceType: 'RDS',
      protectedResourceArns: [database.instance.instanceArn],
      iamRoleArn: role.roleArn,
      // AWS Backup would restore into the default VPC, which may not exist. All values are text, the list as well.
      restoreMetadataOverrides: {
        dbsubnetgroupname: database.subnetGroup.subnetGroupName,
        vpcSecurityGroupIds: `["${closed.securityGroupId}"]`,
      },
    });
  }
}
