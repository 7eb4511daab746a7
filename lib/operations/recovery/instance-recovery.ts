import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { acknowledge } from '../../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import { BACKUP_POLICIES } from '../../config/policies';
import { removalPolicyOf } from '../../config/removal-policy';
import type { InstanceSettings } from '../../data/database';
import { grantKeyToService } from '../backup-permissions';
import type { DatabaseAccess } from '../../data/database-access';
import { recoveryDefinition } from './instance-recovery-definition';
import { operationalQueue } from '../operational-queue';
import type { ResetPassword } from '../functions/reset-password';

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
  /** Encrypts the log of what was done. */
  readonly logKey: IKey;
  readonly warm: IFunction;
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
    const { instance, warm, verify, resetPassword } = props;
    const { access, settings, proxyName } = instance;
    const { restoreTargetMinutes } = BACKUP_POLICIES[access.name];
    if (!access.securityGroup) throw new Error(`The ${access.name} database has no security group to restore into`);
    const confirmations = operationalQueue(this, 'Confirmations', {
      // As long as a cut-over can be confirmed.
      retention: Duration.days(1),
      endsHere: 'Holds a question to a person, which is void after a day',
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: `Recovers the instance of the ${access.name} database`,
    });
    this.grantRecovery(role, instance);
    role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        // Exactly these: the framework's grant would also let it invoke every version of them.
        resources: [warm.functionArn, verify.functionArn, resetPassword.function.functionArn],
      }),
    );
    resetPassword.grantReset(this.arn('db', `${settings.instanceIdentifier}-recovered-*`));
    confirmations.grantSendMessages(role);

    const definition = recoveryDefinition({
      database: access.name,
      settings,
      proxyName,
      securityGroupId: access.securityGroup.securityGroupId,
      warmFunctionArn: warm.functionArn,
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
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', {
          retention: RetentionDays.ONE_YEAR,
          encryptionKey: props.logKey,
          removalPolicy: removalPolicyOf(settings.removalProtection),
        }),
        level: LogLevel.ALL,
        // Without what passes between the states: it holds the token that confirms the cut-over.
        includeExecutionData: false,
      },
    });
    this.acknowledge(role, instance);
  }

  private acknowledge(role: Role, { settings, proxyName }: RecoverableInstance): void {
    acknowledge(this.stateMachine, {
      cfnLint: ['W3005'],
      reason:
        'The framework writes down the role beside its policy, of which the workflow depends on both: implied, and harmless',
    });
    acknowledgeOwnPolicy(role);
    acknowledgeWildcards(
      role,
      {
        resources: ['*'],
        reason: 'Traces have no resource, nor has the delivery of the log of a workflow',
      },
      {
        resources: this.otherInstances(settings),
        reason: 'Recovered instances and former ones get a random suffix at run time; the prefix holds them apart',
      },
      {
        resources: [this.arn('og', 'default:postgres-*'), this.arn('snapshot', '*')],
        reason: 'RDS names default option groups and automated snapshots; which snapshot is the choice of the operator',
      },
    );
    if (proxyName === undefined) return;
    acknowledgeWildcards(role, {
      resources: [this.arn('db-proxy', '*'), this.arn('target-group', '*')],
      reason: 'ARNs of proxies and target groups hold ids that RDS makes up',
    });
  }

  /** Names of instances that the workflow makes, or sets aside. */
  private otherInstances({ instanceIdentifier }: InstanceSettings): string[] {
    return ['recovered', 'before'].map((kind) => this.arn('db', `${instanceIdentifier}-${kind}-*`));
  }

  private arn(resource: string, resourceName: string, service = 'rds'): string {
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  }

  private grantRecovery(role: Role, { access, settings, proxyName }: RecoverableInstance): void {
    const { instanceIdentifier } = settings;
    const present = this.arn('db', instanceIdentifier);
    const others = this.otherInstances(settings);
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
