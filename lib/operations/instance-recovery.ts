import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { DefinitionBody, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { BACKUP_POLICIES } from '../config/policies';
import type { InstanceSettings } from '../data/database';
import { grantKeyToService } from './backup-permissions';
import type { DatabaseAccess } from './database-access';
import { recoveryDefinition } from './instance-recovery-definition';
import type { ResetPassword } from './reset-password';

/**
 * Share of the restore target that warming may take. More leaves too little for the restore itself and the verification;
 * less hands over a database whose first queries wait for its disk.
 */
const WARMING_SHARE = 0.5;

/** An instance that the Data stack made, and can be recovered. */
export interface RecoverableInstance {
  readonly access: DatabaseAccess;
  readonly settings: InstanceSettings;
  /** @default - the database has no proxy */
  readonly proxyName?: string;
}

export interface InstanceRecoveryProps {
  readonly environmentName: string;
  readonly instance: RecoverableInstance;
  readonly verify: IFunction;
  readonly resetPassword: ResetPassword;
}

/**
 * Recovers a whole instance: restores it to a time (`restoreTime`), from a snapshot or recovery point (`snapshotArn`), or
 * to the latest moment, beside the one in use; sets what RDS does not; proves and warms it; and takes its place once
 * somebody has confirmed by name. The former instance is kept. Its history, for 90 days, is the record of what was done.
 */
export class InstanceRecovery extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: InstanceRecoveryProps) {
    super(scope, id);
    const { instance, verify, resetPassword } = props;
    const { access, settings, proxyName } = instance;
    const { restoreTargetMinutes } = BACKUP_POLICIES[access.name];
    if (!access.securityGroup) throw new Error(`The ${access.name} database has no security group to restore into`);
    const confirmations = new Queue(this, 'Confirmations', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // As long as a cut-over can be confirmed.
      retentionPeriod: Duration.days(1),
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: `Recovers the instance of the ${access.name} database`,
    });
    this.grantRecovery(role, instance);
    verify.grantInvoke(role);
    resetPassword.function.grantInvoke(role);
    resetPassword.grantReset(this.arn('db', `${settings.instanceIdentifier}-recovered-*`));
    confirmations.grantSendMessages(role);

    const definition = recoveryDefinition({
      database: access.name,
      settings,
      proxyName,
      securityGroupId: access.securityGroup.securityGroupId,
      verifyFunctionArn: verify.functionArn,
      resetPasswordFunctionArn: resetPassword.function.functionArn,
      confirmationQueueUrl: confirmations.queueUrl,
      targetMinutes: restoreTargetMinutes,
      warmingMinutes: restoreTargetMinutes * WARMING_SHARE,
    });
    this.stateMachine = new StateMachine(this, 'Workflow', {
      stateMachineName: recoveryWorkflowName(props.environmentName, access.name),
      role,
      definitionBody: DefinitionBody.fromString(Stack.of(this).toJsonString(definition)),
      // A restore that hangs, and a day in which nobody confirms.
      timeout: Duration.days(2),
    });
  }

  private arn(resource: string, resourceName: string, service = 'rds'): string {
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  }

  private grantRecovery(role: Role, { access, settings, proxyName }: RecoverableInstance): void {
    const { instanceIdentifier } = settings;
    const present = this.arn('db', instanceIdentifier);
    const others = ['recovered', 'before'].map((kind) => this.arn('db', `${instanceIdentifier}-${kind}-*`));
    const groups = [
      this.arn('subgrp', settings.subnetGroupName),
      this.arn('pg', settings.parameterGroupName),
      this.arn('og', 'default:postgres-*'),
    ];
    role.addToPolicy(
      new PolicyStatement({
        actions: ['rds:RestoreDBInstanceToPointInTime', 'rds:RestoreDBInstanceFromDBSnapshot', 'rds:AddTagsToResource'],
        // Which snapshot or recovery point is the operator's choice, and AWS makes up their names.
        resources: [present, ...others, ...groups, this.arn('snapshot', '*')],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        actions: ['rds:ModifyDBInstance', 'rds:DescribeDBInstances'],
        resources: [present, ...others, ...groups],
      }),
    );
    role.addToPolicy(new PolicyStatement({ actions: ['iam:PassRole'], resources: [settings.monitoringRoleArn] }));
    if (access.secretKey) {
      // RDS goes on using the key of the storage and of the insights by a grant that the caller makes it.
      grantKeyToService(role, access.secretKey);
    }
    if (proxyName === undefined) return;
    role.addToPolicy(
      new PolicyStatement({
        actions: ['rds:RegisterDBProxyTargets', 'rds:DeregisterDBProxyTargets'],
        // ARNs of proxies and target groups hold ids that RDS makes up.
        resources: [present, this.arn('db-proxy', '*'), this.arn('target-group', '*')],
      }),
    );
  }
}

/** What the operator starts, and what is watched. */
export function recoveryWorkflowName(environmentName: string, database: DatabaseAccess['name']): string {
  return `BillingOps-${environmentName}-recover-${database}`;
}
