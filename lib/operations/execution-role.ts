import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acknowledge } from '../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../policy/acknowledge-permissions';

/**
 * What Lambda does to attach a function to a network, as it documents. None of these can be restricted to a resource
 * beforehand.
 */
const NETWORK_INTERFACE_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

export interface ExecutionRoleProps {
  /** Complete name of the function. */
  readonly functionName: string;
  /** The only log group that the function writes to. */
  readonly log: ILogGroup;
  /** Whether the function runs in a network. */
  readonly inNetwork: boolean;
}

/**
 * The role of one function. The framework's own role has managed policies of AWS, which allow the function to write to
 * every log group of the account and to do what only Lambda itself has to do.
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
      ? 'Traces have no resource, and network interfaces have no id before Lambda creates them; the code of the function is denied these network actions'
      : 'X-Ray traces have no resource that a policy could name',
  });
  return role;
}

function allowNetworkInterfaces(role: Role, functionName: string): void {
  role.addToPolicy(new PolicyStatement({ actions: NETWORK_INTERFACE_ACTIONS, resources: ['*'] }));
  role.addToPolicy(
    new PolicyStatement({
      // Calls of the function's code carry this condition key; the calls by which Lambda itself creates interfaces do not.
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
      'Network interfaces have no id before Lambda creates them, and Lambda requires all resources; the code of the function is denied these actions',
  });
}
