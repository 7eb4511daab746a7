import {
  CloudFormationClient,
  ListStackResourcesCommand,
  paginateListStackResources,
  type ResourceStatus,
} from '@aws-sdk/client-cloudformation';
import { mockClient } from 'aws-sdk-client-mock';
import { existingResources } from '../../../core/runtime/stack-resources';

const summary = (LogicalResourceId: string, ResourceStatus: ResourceStatus, id?: string) => ({
  LogicalResourceId,
  ResourceType: 'AWS::S3::Bucket',
  ResourceStatus,
  PhysicalResourceId: id,
  LastUpdatedTimestamp: new Date(),
});

test('the resources of a stack are those of every page that exist', async () => {
  const cloudFormation = mockClient(CloudFormationClient);
  const StackName = 'BillingOps-dev-Data';
  cloudFormation.on(ListStackResourcesCommand, { StackName }).resolves({
    StackResourceSummaries: [summary('Archives', 'CREATE_COMPLETE', 'archives'), summary('Planned', 'CREATE_COMPLETE')],
    NextToken: 'next',
  });
  cloudFormation.on(ListStackResourcesCommand, { StackName, NextToken: 'next' }).resolves({
    StackResourceSummaries: [
      summary('Former', 'DELETE_COMPLETE', 'former'),
      { ...summary('Log', 'DELETE_FAILED', 'log'), ResourceStatusReason: 'not empty' },
    ],
  });

  const pages = paginateListStackResources({ client: new CloudFormationClient({}) }, { StackName });

  expect(await existingResources(pages)).toEqual([
    { type: 'AWS::S3::Bucket', logicalId: 'Archives', id: 'archives', status: 'CREATE_COMPLETE', reason: undefined },
    { type: 'AWS::S3::Bucket', logicalId: 'Log', id: 'log', status: 'DELETE_FAILED', reason: 'not empty' },
  ]);
  cloudFormation.restore();
});
