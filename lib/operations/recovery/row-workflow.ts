import { ArnFormat, CfnOutput, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { rowWorkflowName, type DatabaseName } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../config/policies';
import type { ResetPassword } from '../functions/reset-password';
import type { CreatedInstance } from './recovery-permissions';
import { RecoveryWorkflow } from './recovery-workflow';
import { rowWorkflowDefinition } from './row-workflow-states';
import { grantTemporaryInstance, TemporaryInstanceArns, TemporaryInstanceExpiry } from './temporary-instance';

export interface RowWorkflowProps {
  readonly environmentName: string;
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  readonly instance: CreatedInstance;
  /** Encrypts the logs of the workflow. */
  readonly logKey: IKey;
  /** Compares and merges rows. */
  readonly rowRecovery: IFunction;
  /** Sets the current password on the temporary instance. */
  readonly resetPassword: ResetPassword;
}

/**
 * Recovers rows to the second: brings up a small instance of a moment beside the one in use, compares the rows of some tables
 * with the live ones, asks, merges what is confirmed, and removes the instance. The instance in use is never changed.
 */
export class RowWorkflow extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: RowWorkflowProps) {
    super(scope, id);
    const { instance, environmentName, logKey } = props;
    const { access, settings } = instance;
    const { name: database, securityGroup } = access;
    if (!securityGroup) throw new Error(`The ${database} database has no security group to restore into`);
    const arns = new TemporaryInstanceArns(Stack.of(this), settings, 'rows');
    const { stateMachine: expiry } = new TemporaryInstanceExpiry(this, 'Instance', {
      environmentName,
      instance,
      arns,
      logKey,
    });
    const workflow = new RecoveryWorkflow(this, 'Rows', {
      logKey,
      removalProtection: settings.removalProtection,
      stateMachineName: rowWorkflowName(environmentName, database),
      description: `Compares rows of the ${database} database with those of a moment`,
    });
    grantTemporaryInstance(workflow.role, arns, instance);
    // Exactly these functions: the framework's grant would allow every version of them.
    const functions = [props.rowRecovery, props.resetPassword.function].map(({ functionArn }) => functionArn);
    workflow.role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: functions }));
    workflow.role.addToPolicy(
      new PolicyStatement({ actions: ['states:StartExecution'], resources: [expiry.stateMachineArn] }),
    );
    props.resetPassword.grantReset(arns.temporary);
    this.stateMachine = workflow.define(
      rowWorkflowDefinition({
        environmentName,
        database,
        purpose: 'rows',
        settings,
        securityGroupId: securityGroup.securityGroupId,
        resetPasswordFunctionArn: props.resetPassword.function.functionArn,
        expiryArn: expiry.stateMachineArn,
        targetMinutes: BACKUP_POLICIES[database].restoreTargetMinutes,
        runbookUrl: props.runbookUrl,
        rowRecoveryFunctionArn: props.rowRecovery.functionArn,
        snapshotArnPrefix: arns.snapshots.slice(0, -1),
      }),
    );
    new CfnOutput(this, 'StateMachine', {
      description: `Compares rows of the ${database} database with those of a moment: start an execution`,
      value: this.stateMachine.stateMachineArn,
    });
  }
}

/** ARN of that workflow, for a stack that only knows its name. */
export function rowWorkflowArn(stack: Stack, environmentName: string, database: DatabaseName): string {
  return stack.formatArn({
    service: 'states',
    resource: 'stateMachine',
    resourceName: rowWorkflowName(environmentName, database),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
