import type { CloudFormationClient, StackResourceSummary } from '@aws-sdk/client-cloudformation';

/** The resources of a stack. @throws what CloudFormation answers, such as that there is no such stack */
export async function resourcesOf(client: CloudFormationClient, StackName: string): Promise<StackResourceSummary[]> {
  const { paginateListStackResources } = await import('@aws-sdk/client-cloudformation');
  const found: StackResourceSummary[] = [];
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName })) {
    found.push(...StackResourceSummaries);
  }
  return found;
}
