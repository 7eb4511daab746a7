import { ArnFormat, CfnOutput, Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { archiveWorkflowName, type DatabaseName } from '../../../core/contract';
import type { EnvironmentConfig } from '../../config/environment-schema';
import { BACKUP_POLICIES } from '../../config/policies';
import { isExisting } from '../../data/existing-instance';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import type { ResetPassword } from '../functions/reset-password';
import { largeArchiveDefinition, PARTS_LABEL } from './large-archive-states';
import type { RecoverableInstance } from './recovery-permissions';
import { RecoveryWorkflow } from './recovery-workflow';
import { grantTemporaryInstance, TemporaryInstanceArns, TemporaryInstanceExpiry } from './temporary-instance';

export interface LargeArchiveProps {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
  /** The instance whose recovery points are archived. */
  readonly instance: RecoverableInstance;
  /** Bucket with the lists of parts. */
  readonly archiveBucket: IBucket;
  /** Encrypts the logs of the workflow. */
  readonly logKey: IKey;
  /** Plans, copies parts and publishes; it also starts the workflow. */
  readonly backup: IFunction;
  /** Sets the current password on the temporary instance. */
  readonly resetPassword: ResetPassword;
}

/**
 * Archives a database above the streaming limit, whether the stack made its instance or it existed before: restores its newest
 * recovery point beside the instance in use, copies it in parts, each by a call of its own, publishes the archive, and removes the instance. The backup function starts it.
 */
export class LargeArchive extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: LargeArchiveProps) {
    super(scope, id);
    const { config, instance, logKey, backup, resetPassword } = props;
    const { access, settings } = instance;
    const { name: database, securityGroup } = access;
    if (!isExisting(settings) && !securityGroup)
      throw new Error(`The ${database} database has no security group to restore into`);
    const environmentName = config.name;
    const arns = new TemporaryInstanceArns(Stack.of(this), settings, 'archive');
    const { stateMachine: expiry } = new TemporaryInstanceExpiry(this, 'Instance', {
      environmentName,
      instance,
      arns,
      logKey,
    });
    const workflow = new RecoveryWorkflow(this, 'Archive', {
      logKey,
      removalProtection: settings.removalProtection,
      stateMachineName: archiveWorkflowName(environmentName, database),
      description: `Archives the ${database} database from its newest recovery point`,
    });
    grantTemporaryInstance(workflow.role, arns, instance);
    this.grantCalls(workflow.role, props, expiry);
    this.grantMap(workflow.role, props);
    resetPassword.grantReset(arns.temporary);
    const { instanceClass, concurrentParts } = config.largeArchives;
    this.stateMachine = workflow.define(
      largeArchiveDefinition({
        environmentName,
        database,
        purpose: 'archive',
        settings,
        securityGroupId: securityGroup?.securityGroupId,
        instanceClass: instanceClass === undefined ? classInUse(settings) : `db.${instanceClass}`,
        resetPasswordFunctionArn: resetPassword.function.functionArn,
        backupFunctionArn: backup.functionArn,
        expiryArn: expiry.stateMachineArn,
        targetMinutes: BACKUP_POLICIES[database].restoreTargetMinutes,
        runbookUrl: config.runbookUrl,
        concurrentParts,
      }),
    );
    new CfnOutput(this, 'StateMachine', {
      description: `Archives the ${database} database where it is too large for one call; the backup starts it`,
      value: this.stateMachine.stateMachineArn,
    });
  }

  /** Exactly these: the framework's grant would allow every version of the functions. */
  private grantCalls(role: Role, { backup, resetPassword }: LargeArchiveProps, expiry: StateMachine): void {
    const resources = [backup.functionArn, resetPassword.function.functionArn];
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources }));
    role.addToPolicy(new PolicyStatement({ actions: ['states:StartExecution'], resources: [expiry.stateMachineArn] }));
  }

  /** What Step Functions does in the name of the workflow for a distributed map: starts executions of it, and reads its list. */
  private grantMap(role: Role, { config, instance, archiveBucket }: LargeArchiveProps): void {
    const { name: database } = instance.access;
    const own = archiveWorkflowArn(Stack.of(this), config.name, database);
    const executions = own.replace(':stateMachine:', ':execution:');
    const pattern = `archives/${database}/*/*/parts.json`;
    const lists = archiveBucket.arnForObjects(pattern);
    const grant = (actions: string[], resources: string[]) =>
      role.addToPolicy(new PolicyStatement({ actions, resources }));
    grant(['states:StartExecution'], [own]);
    grant(['states:DescribeExecution', 'states:StopExecution'], [`${executions}:*`]);
    grant(['states:RedriveExecution'], [`${executions}/${PARTS_LABEL}:*`]);
    grant(['s3:GetObject'], [lists]);
    archiveBucket.encryptionKey?.grant(role, 'kms:Decrypt');
    acknowledgeWildcards(
      role,
      {
        resources: [`${executions}:*`, `${executions}/${PARTS_LABEL}:*`],
        reason: 'Step Functions names the executions of a map; the name of the workflow holds them apart',
      },
      {
        // The template contains the name of the export of the stack that owns the bucket.
        resources: [`${Stack.of(archiveBucket).exportValue(archiveBucket.bucketArn)}/${pattern}`],
        reason:
          'Names of archives are generated at run time; the role reads their lists of parts, and nothing else of them',
      },
    );
  }
}

/** That of an existing instance is read when an archive begins. */
function classInUse(settings: RecoverableInstance['settings']): string | undefined {
  return isExisting(settings) ? undefined : settings.instanceClass;
}

/** ARN of that workflow, for what only knows its name. */
export function archiveWorkflowArn(stack: Stack, environmentName: string, database: DatabaseName): string {
  return stack.formatArn({
    service: 'states',
    resource: 'stateMachine',
    resourceName: archiveWorkflowName(environmentName, database),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
