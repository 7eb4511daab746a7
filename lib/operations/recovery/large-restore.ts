import { ArnFormat, CfnOutput, Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { type DatabaseName, restoreWorkflowName } from '../../../core/contract';
import type { EnvironmentConfig } from '../../config/environment-schema';
import { acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import { largeRestoreDefinition, RESTORE_MAP_LABELS } from './large-restore-states';
import { RecoveryWorkflow } from './recovery-workflow';

export interface LargeRestoreProps {
  /** Configuration of the environment. */
  readonly config: EnvironmentConfig;
  /** The database whose archives are restored. */
  readonly database: DatabaseName;
  /** Encrypts the logs of the workflow. */
  readonly logKey: IKey;
  /** Takes the steps; it also starts the workflow. */
  readonly restore: IFunction;
  /** Ends the drills; it also starts the workflow for them. */
  readonly drill: IFunction;
}

/**
 * Restores archives of a database that are too large for one call, into a new database on the same server. The restore function
 * starts it, and the drill, which the workflow then ends by a record instead of a new database.
 */
export class LargeRestore extends Construct {
  readonly stateMachine: StateMachine;

  constructor(scope: Construct, id: string, props: LargeRestoreProps) {
    super(scope, id);
    const { config, database, logKey, restore, drill } = props;
    const workflow = new RecoveryWorkflow(this, 'Restore', {
      logKey,
      removalProtection: config.removalProtection,
      stateMachineName: restoreWorkflowName(config.name, database),
      description: `Restores archives of the ${database} database that are too large for one call`,
    });
    // Exactly these: the framework's grant would allow every version of a function.
    workflow.role.addToPolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [restore.functionArn, drill.functionArn] }),
    );
    this.grantMaps(workflow.role, config.name, database);
    this.stateMachine = workflow.define(
      largeRestoreDefinition({
        database,
        restoreFunctionArn: restore.functionArn,
        drillFunctionArn: drill.functionArn,
        concurrentParts: config.largeArchives.concurrentParts,
        runbookUrl: config.runbookUrl,
      }),
    );
    new CfnOutput(this, 'StateMachine', {
      description: `Restores archives of the ${database} database that are too large for one call; the restore function starts it`,
      value: this.stateMachine.stateMachineArn,
    });
  }

  /** What Step Functions does in the name of the workflow for a distributed map: starts executions of it. */
  private grantMaps(role: Role, environmentName: string, database: DatabaseName): void {
    const own = restoreWorkflowArn(Stack.of(this), environmentName, database);
    const executions = own.replace(':stateMachine:', ':execution:');
    const children = RESTORE_MAP_LABELS.map((label) => `${executions}/${label}:*`);
    const grant = (actions: string[], resources: string[]) =>
      role.addToPolicy(new PolicyStatement({ actions, resources }));
    grant(['states:StartExecution'], [own]);
    grant(['states:DescribeExecution', 'states:StopExecution'], [`${executions}:*`]);
    grant(['states:RedriveExecution'], children);
    acknowledgeWildcards(role, {
      resources: [`${executions}:*`, ...children],
      reason: 'Step Functions names the executions of a map; the name of the workflow holds them apart',
    });
  }
}

/** ARN of that workflow, for what only knows its name. */
export function restoreWorkflowArn(stack: Stack, environmentName: string, database: DatabaseName): string {
  return stack.formatArn({
    service: 'states',
    resource: 'stateMachine',
    resourceName: restoreWorkflowName(environmentName, database),
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
