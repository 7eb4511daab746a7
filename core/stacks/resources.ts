import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { existingResources, type StackResource } from '../runtime/stack-resources';

/**
 * The resources of a stack that exist.
 *
 * @param StackName such as `BillingOps-production-Data`
 * @throws what CloudFormation answers, such as that there is no such stack: see {@link isNoStack}
 */
export async function listResources(client: CloudFormationClient, StackName: string): Promise<StackResource[]> {
  const { paginateListStackResources } = await import('@aws-sdk/client-cloudformation');
  return existingResources(paginateListStackResources({ client }, { StackName }));
}

/** Whether CloudFormation answered that there is no such stack: it has no error of its own for that. */
export function isNoStack(error: unknown): boolean {
  return error instanceof Error && error.name === 'ValidationError' && error.message.includes('does not exist');
}
