import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';

/** What Lambda does in the name of a function to bring it into a network. Its list; none of these takes a resource beforehand. */
const NETWORK_INTERFACE_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

export interface ExecutionRoleProps {
  readonly functionName: string;
  /** The one log that the function writes to. */
  readonly log: ILogGroup;
  /** Whether the function runs in a network. */
  readonly inNetwork: boolean;
}

/**
 * The role of one function. Not the framework's, which brings AWS's managed policies: those allow to write into every log
 * group of the account, and to its code what only Lambda itself has to do.
 */
export function executionRole(scope: Construct, props: ExecutionRoleProps): Role {
  const { functionName, log, inNetwork } = props;
  const role = new Role(scope, 'Role', {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `What ${functionName} may do`,
  });
  log.grantWrite(role);
  if (inNetwork) allowNetworkInterfaces(role, functionName);
  acknowledgeOwnPolicy(role);
  acknowledgeWildcards(role, {
    resources: ['*'],
    reason: inNetwork
      ? 'Traces have no resource, and network interfaces no id before Lambda makes them; for the latter the code of the function is denied the same'
      : 'Traces are sent to X-Ray as a whole: there is no resource to name',
  });
  return role;
}

function allowNetworkInterfaces(role: Role, functionName: string): void {
  role.addToPolicy(new PolicyStatement({ actions: NETWORK_INTERFACE_ACTIONS, resources: ['*'] }));
  role.addToPolicy(
    new PolicyStatement({
      // Lambda makes the interfaces without this condition key; what the code of the function calls carries it.
      effect: Effect.DENY,
      actions: NETWORK_INTERFACE_ACTIONS,
      resources: ['*'],
      conditions: {
        ArnEquals: {
          'lambda:SourceFunctionArn': Stack.of(role).formatArn({
            service: 'lambda',
            resource: 'function',
            resourceName: functionName,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        },
      },
    }),
  );
  acknowledge(role.node.findChild('DefaultPolicy'), {
    checkov: ['CKV_AWS_111'],
    reason:
      'Network interfaces have no id before Lambda makes them, and Lambda asks for every resource; the code of the function is denied the same',
  });
}
