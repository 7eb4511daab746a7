import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import {
  type ILambdaApplication,
  LambdaApplication,
  LambdaDeploymentConfig,
  LambdaDeploymentGroup,
} from 'aws-cdk-lib/aws-codedeploy';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { alarmsOf } from '../config/alarms/alarms';
import type { EnvironmentConfig } from '../config/environment-schema';
import { type GradualFunction, rollbackAlarms } from '../config/gradual-deployments';
import { acknowledgeManagedPolicy } from '../policy/acknowledge-permissions';

export interface GradualDeploymentProps {
  /** Configuration of the environment, which says what alarms there are. */
  readonly config: EnvironmentConfig;
  /** Stem of the function. */
  readonly stem: GradualFunction;
  /** Alias of the function that traffic goes to. */
  readonly alias: Alias;
}

/**
 * Gives a new version of a function a tenth of the traffic for 15 minutes, then all of it. An alarm of the function in that time, or a
 * deployment that fails otherwise, gives everything back to the version before, and fails the update of the stack.
 */
export class GradualDeployment extends Construct {
  constructor(scope: Construct, id: string, { config, stem, alias }: GradualDeploymentProps) {
    super(scope, id);
    const stack = Stack.of(this);
    // By their names: Monitoring, which has them, is deployed after this stack. CodeDeploy looks them up when it deploys.
    const alarms = rollbackAlarms(stem, alarmsOf(config), config.computedAlarms).map((suffix) =>
      Alarm.fromAlarmArn(
        this,
        suffix,
        stack.formatArn({
          service: 'cloudwatch',
          resource: 'alarm',
          resourceName: `BillingOps-${config.name}-${suffix}`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ),
    );
    const group = new LambdaDeploymentGroup(this, 'Group', {
      application: applicationOf(stack),
      alias,
      deploymentConfig: LambdaDeploymentConfig.CANARY_10PERCENT_15MINUTES,
      alarms,
      // What cannot be looked at is no reason to go on.
      ignorePollAlarmsFailure: false,
      autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: true },
    });
    acknowledgeManagedPolicy(
      group.node.findChild('ServiceRole'),
      'service-role/AWSCodeDeployRoleForLambdaLimited',
      'AWS maintains this policy for CodeDeploy, which alone can assume the role; it moves aliases and reads alarms',
    );
  }
}

const APPLICATION_ID = 'GradualDeployments';

/** One application of CodeDeploy for all functions of a stack. */
function applicationOf(stack: Stack): ILambdaApplication {
  const existing = stack.node.tryFindChild(APPLICATION_ID);
  return existing instanceof LambdaApplication ? existing : new LambdaApplication(stack, APPLICATION_ID);
}
