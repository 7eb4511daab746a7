import { Stack } from 'aws-cdk-lib';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';

/**
 * A service as who assumes a role, only where it acts for this account: without the condition, it would also where another account
 * has it act with the role. Of services that say so of themselves: Step Functions, Scheduler, and of RDS monitoring and exports.
 *
 * @param service such as `states.amazonaws.com`
 * @param sourceArn what it acts for. @default - anything of the account
 */
export function serviceOfAccount(scope: IConstruct, service: string, sourceArn?: string): ServicePrincipal {
  return new ServicePrincipal(service, {
    conditions: {
      StringEquals: {
        'aws:SourceAccount': Stack.of(scope).account,
        ...(sourceArn === undefined ? {} : { 'aws:SourceArn': sourceArn }),
      },
    },
  });
}
