import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { existingResources, type StackResource } from '../core/runtime/stack-resources';

/** The resources of a stack that exist. @throws what CloudFormation answers, such as that there is no such stack */
export async function resourcesOf(client: CloudFormationClient, StackName: string): Promise<StackResource[]> {
  const { paginateListStackResources } = await import('@aws-sdk/client-cloudformation');
  return existingResources(paginateListStackResources({ client }, { StackName }));
}
