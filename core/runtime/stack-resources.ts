/** A resource of a stack. */
export interface StackResource {
  /** Such as `AWS::S3::Bucket`. */
  readonly type: string;
  readonly logicalId: string;
  /** Name or id by which its own API knows it. */
  readonly id: string;
  /** Such as `DELETE_FAILED`. */
  readonly status: string;
  /** Why it has that status, where CloudFormation says so. */
  readonly reason: string | undefined;
}

/** What is read of a page of `paginateListStackResources`. Typed here, because a contract imports no SDK. */
interface StackResourcePage {
  readonly StackResourceSummaries?:
    | readonly {
        readonly ResourceType: string | undefined;
        readonly LogicalResourceId: string | undefined;
        readonly PhysicalResourceId?: string | undefined;
        readonly ResourceStatus: string | undefined;
        readonly ResourceStatusReason?: string | undefined;
      }[]
    | undefined;
}

/**
 * The resources of a stack that exist: CloudFormation also lists what it deleted, and, without an id, what it has not made yet.
 *
 * @param pages of `paginateListStackResources`
 * @throws what CloudFormation answers, such as that there is no such stack
 */
export async function existingResources(pages: AsyncIterable<StackResourcePage>): Promise<StackResource[]> {
  const found: StackResource[] = [];
  for await (const { StackResourceSummaries = [] } of pages) {
    for (const summary of StackResourceSummaries) {
      const { ResourceType: type = '', LogicalResourceId: logicalId = '', PhysicalResourceId: id = '' } = summary;
      const { ResourceStatus: status = '', ResourceStatusReason: reason } = summary;
      if (id !== '' && status !== 'DELETE_COMPLETE') found.push({ type, logicalId, id, status, reason });
    }
  }
  return found;
}
