import { ArnFormat, CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { recoveryWorkflowName } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../config/policies';
import { RECOVERY_POLICY } from '../../config/recovery-policy';
import type { DatabaseAccess } from '../../data/database-access';
import { acknowledge } from '../../policy/acknowledge';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import type { ResetPassword } from '../functions/reset-password';
import { operationalQueue } from '../operational-queue';
import { recoveryDefinition } from './instance-recovery-definition';
import { reminderDefinition } from './leftover-reminder';
import { RECOVERY_EVENTS, RECOVERY_EVENT_SOURCE } from './recovery-events';
import { grantRecovery, RecoveryArns, type RecoverableInstance } from './recovery-permissions';
import { RecoveryWorkflow, type RecoveryWorkflowProps } from './recovery-workflow';

export interface InstanceRecoveryProps {
  readonly environmentName: string;
  /** URL of the runbook as a page, without an anchor. */
  readonly runbookUrl: string;
  readonly instance: RecoverableInstance;
  /** Encrypts the logs of the workflow, and of the instances that it makes. */
  readonly logKey: IKey;
  /** Proves a recovered database. */
  readonly verify: IFunction;
  /** Erases people again who were erased since. */
  readonly erasure: IFunction;
  /** Reads the disk of a recovered database, which loads lazily. */
  readonly warm: IFunction;
  /** Sets the current password on a recovered instance. */
  readonly resetPassword: ResetPassword;
  /** Gives the logins of functions the passwords that their secrets hold now. */
  readonly migrate: IFunction;
}

/**
 * Recovers a whole instance, whether the stack made it or it existed before: restores it to a time (`restoreTime`), from a snapshot or recovery point (`snapshotArn`), or
 * to the latest moment, beside the one in use; sets what RDS does not; warms and proves it; and cuts over once an operator
 * has typed the identifier of the one in use. The former instance is kept. Its history, for 90 days, is the record of what
 * was done. How it cuts over, and why so, is in `docs/decisions/0013-how-an-instance-recovery-cuts-over.md`.
 */
export class InstanceRecovery extends Construct {
  readonly stateMachine: StateMachine;
  /** Holds the questions of the last day, with their task tokens, for scripts; people get them by the critical topic. */
  readonly confirmations: Queue;

  constructor(scope: Construct, id: string, props: InstanceRecoveryProps) {
    super(scope, id);
    const { instance, environmentName } = props;
    const { access, settings, proxyName } = instance;
    const arns = new RecoveryArns(Stack.of(this), settings);
    const workflow = new RecoveryWorkflow(this, 'Recovery', {
      ...this.shared(props),
      stateMachineName: recoveryWorkflowName(environmentName, access.name),
      description: `Recovers the instance of the ${access.name} database`,
    });
    const reminder = this.reminder(props, arns);
    this.confirmations = this.confirmationQueue(props);
    grantRecovery(workflow.role, arns, instance);
    this.grantCalls(workflow, props, reminder);
    props.resetPassword.grantReset(arns.recovered);

    this.stateMachine = workflow.define(
      recoveryDefinition({
        environmentName,
        runbookUrl: props.runbookUrl,
        database: access.name,
        settings,
        proxyName,
        securityGroupId: access.securityGroup?.securityGroupId,
        verifyFunctionArn: props.verify.functionArn,
        erasureFunctionArn: props.erasure.functionArn,
        warmFunctionArn: props.warm.functionArn,
        resetPasswordFunctionArn: props.resetPassword.function.functionArn,
        migrateFunctionArn: props.migrate.functionArn,
        reminderArn: reminder.stateMachineArn,
        snapshotArnPrefix: arns.snapshots.slice(0, -1),
        logKeyArn: props.logKey.keyArn,
        targetMinutes: BACKUP_POLICIES[access.name].restoreTargetMinutes,
      }),
    );
    new CfnOutput(this, 'StateMachine', {
      description: `Recovers the instance of the ${access.name} database: start an execution`,
      value: this.stateMachine.stateMachineArn,
    });
    new CfnOutput(this, 'ConfirmationQueue', {
      description: `Questions of the recovery of the ${access.name} database, with their task tokens`,
      value: this.confirmations.queueUrl,
    });
  }

  private shared({
    logKey,
    instance,
  }: InstanceRecoveryProps): Pick<RecoveryWorkflowProps, 'logKey' | 'removalProtection'> {
    return { logKey, removalProtection: instance.settings.removalProtection };
  }

  /** The functions, and the reminder. Exactly these: the framework's grant would allow every version of them. */
  private grantCalls({ role }: RecoveryWorkflow, props: InstanceRecoveryProps, reminder: StateMachine): void {
    const functions = [props.verify, props.erasure, props.warm, props.migrate, props.resetPassword.function].map(
      ({ functionArn }) => functionArn,
    );
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [...new Set(functions)] }));
    role.addToPolicy(
      new PolicyStatement({ actions: ['states:StartExecution'], resources: [reminder.stateMachineArn] }),
    );
  }

  /** Reports, week by week, the instances that a recovery leaves behind. */
  private reminder(props: InstanceRecoveryProps, arns: RecoveryArns): StateMachine {
    const { environmentName, instance } = props;
    const database = instance.access.name;
    const workflow = new RecoveryWorkflow(this, 'Reminder', {
      ...this.shared(props),
      stateMachineName: `BillingOps-${environmentName}-recovery-leftovers-${database}`,
      description: `Reports instances that a recovery of the ${database} database left behind`,
    });
    workflow.role.addToPolicy(
      new PolicyStatement({ actions: ['rds:DescribeDBInstances'], resources: [arns.recovered, arns.former] }),
    );
    workflow.role.addToPolicy(new PolicyStatement({ actions: ['events:PutEvents'], resources: [arns.defaultBus] }));
    acknowledgeWildcards(workflow.role, {
      resources: [arns.recovered, arns.former],
      reason: 'Recovered instances and former ones get a random suffix at run time; they are only looked at',
    });
    return workflow.define(reminderDefinition({ environmentName, database }));
  }

  private confirmationQueue({ environmentName, instance }: InstanceRecoveryProps): Queue {
    const database = instance.access.name;
    const queue = operationalQueue(this, 'Confirmations', {
      retention: Duration.hours(RECOVERY_POLICY.confirmationHours),
      endsHere: 'Holds a question to a person, which is void once the time to confirm is over',
    });
    const rule = new Rule(this, 'ConfirmationRequested', {
      description: `Keeps the questions of the recovery of the ${database} database`,
      eventPattern: {
        source: [RECOVERY_EVENT_SOURCE],
        detailType: [RECOVERY_EVENTS.confirmationRequested, RECOVERY_EVENTS.nameRequested],
        detail: { environment: [environmentName], database: [database] },
      },
    });
    acknowledge(rule, {
      nag: ['Serverless-EventBusDLQ'],
      reason: 'EventBridge retries for 24 h, after which the question is void; the critical topic gets it as well',
    });
    rule.addTarget(new SqsQueue(queue));
    return queue;
  }
}

/** ARN of that workflow, for a stack that only knows its name. */
export function recoveryWorkflowArn(stack: Stack, environmentName: string, database: DatabaseAccess['name']): string {
  return stack.formatArn({
    service: 'states',
    resource: 'stateMachine',
    resourceName: recoveryWorkflowName(environmentName, database),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
