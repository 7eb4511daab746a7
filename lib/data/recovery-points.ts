import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { BackupPlan, BackupPlanRule, BackupResource, BackupVault } from 'aws-cdk-lib/aws-backup';
import { Schedule } from 'aws-cdk-lib/aws-events';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { IDatabaseInstance } from 'aws-cdk-lib/aws-rds';
import { Construct } from 'constructs';
import type { DatabaseName } from '../../lambdas/shared/contract';
import type { BackupPolicy } from '../config/policies';

export interface RecoveryPointsProps {
  readonly name: DatabaseName;
  readonly instance: IDatabaseInstance;
  readonly policy: BackupPolicy;
  /** Make the vault's lock irrevocable three days after it is set. */
  readonly removalProtection: boolean;
}

/**
 * AWS Backup of one instance, into a vault of its own: a locked vault fails every job whose retention is outside its
 * bounds, so databases with different retention cannot share one.
 */
export class RecoveryPoints extends Construct {
  constructor(scope: Construct, id: string, props: RecoveryPointsProps) {
    super(scope, id);
    const { name, policy } = props;
    const retention = Duration.days(policy.retentionDays);
    const removalPolicy = props.removalProtection ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const vault = new BackupVault(this, 'Vault', {
      // Apart from the database's key, so that losing that one does not lose the backups with it.
      encryptionKey: new Key(this, 'Key', {
        description: `Recovery points of the ${name} database`,
        enableKeyRotation: true,
        removalPolicy,
      }),
      lockConfiguration: {
        minRetention: retention,
        // The framework takes no upper bound that equals the lower one.
        maxRetention: Duration.days(policy.retentionDays + 1),
        // Without the grace period, the lock can be removed by whoever may administer the vault.
        changeableFor: props.removalProtection ? Duration.days(3) : undefined,
      },
      removalPolicy,
    });
    const plan = new BackupPlan(this, 'Plan', {
      backupVault: vault,
      backupPlanRules: [
        new BackupPlanRule({
          ruleName: `${name}-every-${policy.frequencyHours}-hours`,
          scheduleExpression: Schedule.expression(policy.cron),
          // The least that AWS Backup takes. A job that did not start by then is reported, not started late.
          startWindow: Duration.hours(1),
          completionWindow: Duration.hours(5),
          deleteAfter: retention,
        }),
      ],
    });
    plan.addSelection('Instance', { resources: [BackupResource.fromRdsDatabaseInstance(props.instance)] });
  }
}
