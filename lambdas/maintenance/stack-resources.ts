import { type CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation';
import { functionName } from '../../core/contract';

/** A resource of a stack. */
export interface StackResource {
  readonly type: string;
  readonly logicalId: string;
  /** Name or id by which its own API knows it. */
  readonly id: string;
}

/**
 * The resources of a stack that exist.
 *
 * @param environment such as `production`
 * @param stack such as `Data`
 * @throws what CloudFormation answers, such as that there is no such stack
 */
export async function listResources(
  client: CloudFormationClient,
  environment: string,
  stack: string,
): Promise<StackResource[]> {
  const found: StackResource[] = [];
  const StackName = functionName(environment, stack);
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName })) {
    for (const { ResourceType = '', LogicalResourceId = '', PhysicalResourceId = '' } of StackResourceSummaries) {
      if (PhysicalResourceId !== '') {
        found.push({ type: ResourceType, logicalId: LogicalResourceId, id: PhysicalResourceId });
      }
    }
  }
  return found;
}
