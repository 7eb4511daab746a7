import { ArnFormat, CfnOutput, Duration, Stack, TimeZone } from 'aws-cdk-lib';
import { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSchedule, ScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { drillWorkflowName, type DatabaseName } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../config/policies';
import { INSTANCE_DRILL_SCHEDULES } from '../../config/schedules';
import { acknowledgeOwnPolicy } from '../../policy/acknowledge-permissions';
import { serviceOfAccount } from '../../policy/service-principal';
import type { ResetPassword } from '../functions/reset-password';
import { instanceDrillDefinition } from './instance-drill-states';
import type { CreatedInstance } from './recovery-permissions';
import { RecoveryWorkflow } from './recovery-workflow';
import { grantTemporaryInstance, TemporaryInstanceArns, TemporaryInstanceExpiry } from './temporary-instance';

export interface InstanceDrillProps {
  readonly environmentName: string;
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  readonly instance: CreatedInstance;
  /** Encrypts the logs of the workflow. */
  readonly logKey: IKey;
  /** Verifies the restored database. */
  readonly verify: IFunction;
  /** Erases people again who were erased since. */
  readonly erasure: IFunction;
  /** Sets the current password on the temporary instance. */
  readonly resetPassword: ResetPassword;
  /** Takes the starts that the schedule cannot deliver. */
  readonly failureQueue: Queue;
}

/**
 * Rehearses the recovery of a whole instance every quarter: restores the latest moment beside the one in use, verifies it, compares
 * the time with the target, and removes it. The instance in use is never changed.
 */
export class InstanceDrill extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: InstanceDrillProps) {
    super(scope, id);
    const { instance, environmentName, logKey, verify, erasure, resetPassword } = props;
    const { access, settings } = instance;
    const { name: database, securityGroup } = access;
    if (!securityGroup) throw new Error(`The ${database} database has no security group to restore into`);
    const arns = new TemporaryInstanceArns(Stack.of(this), settings, 'drill');
    const { stateMachine: expiry } = new TemporaryInstanceExpiry(this, 'Instance', {
      environmentName,
      instance,
      arns,
      logKey,
    });
    const workflow = new RecoveryWorkflow(this, 'Drill', {
      logKey,
      removalProtection: settings.removalProtection,
      stateMachineName: drillWorkflowName(environmentName, database),
      description: `Rehearses the recovery of the instance of the ${database} database`,
    });
    grantTemporaryInstance(workflow.role, arns, instance);
    // Exactly these functions: the framework's grant would allow every version of them.
    const functions = [verify, erasure, resetPassword.function].map(({ functionArn }) => functionArn);
    workflow.role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: functions }));
    workflow.role.addToPolicy(
      new PolicyStatement({ actions: ['states:StartExecution'], resources: [expiry.stateMachineArn] }),
    );
    resetPassword.grantReset(arns.temporary);
    this.stateMachine = workflow.define(
      instanceDrillDefinition({
        environmentName,
        database,
        purpose: 'drill',
        settings,
        securityGroupId: securityGroup.securityGroupId,
        instanceClass: settings.instanceClass,
        resetPasswordFunctionArn: resetPassword.function.functionArn,
        verifyFunctionArn: verify.functionArn,
        erasureFunctionArn: erasure.functionArn,
        expiryArn: expiry.stateMachineArn,
        targetMinutes: BACKUP_POLICIES[database].restoreTargetMinutes,
        runbookUrl: props.runbookUrl,
        hasProxy: instance.proxyName !== undefined,
      }),
    );
    this.schedule(database, props.failureQueue);
    new CfnOutput(this, 'StateMachine', {
      description: `Rehearses the recovery of the instance of the ${database} database: start an execution`,
      value: this.stateMachine.stateMachineArn,
    });
  }

  /** The target of the framework would give its role the permission to start it under every alias and version. */
  private schedule(database: DatabaseName, failureQueue: Queue): void {
    const { stateMachineArn } = this.stateMachine;
    const role = new Role(this, 'ScheduleRole', {
      assumedBy: serviceOfAccount(
        this,
        'scheduler.amazonaws.com',
        ScheduleGroup.fromDefaultScheduleGroup(this, 'Group').scheduleGroupArn,
      ),
      description: `Starts the drill of the instance of the ${database} database on its schedule`,
    });
    acknowledgeOwnPolicy(role);
    role.addToPolicy(new PolicyStatement({ actions: ['states:StartExecution'], resources: [stateMachineArn] }));
    failureQueue.grantSendMessages(role);
    const { expression, maximumAgeMinutes } = INSTANCE_DRILL_SCHEDULES[database];
    new CfnSchedule(this, 'Schedule', {
      description: `Quarterly drill of the instance of the ${database} database`,
      scheduleExpression: expression,
      scheduleExpressionTimezone: TimeZone.ETC_UTC.timezoneName,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: stateMachineArn,
        roleArn: role.roleArn,
        input: '{}',
        deadLetterConfig: { arn: failureQueue.queueArn },
        retryPolicy: {
          maximumEventAgeInSeconds: Duration.minutes(maximumAgeMinutes).toSeconds(),
          maximumRetryAttempts: 3,
        },
      },
    });
  }
}

/** ARN of that workflow, for a stack that only knows its name. */
export function drillWorkflowArn(stack: Stack, environmentName: string, database: DatabaseName): string {
  return stack.formatArn({
    service: 'states',
    resource: 'stateMachine',
    resourceName: drillWorkflowName(environmentName, database),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
