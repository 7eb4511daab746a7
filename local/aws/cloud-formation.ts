import { readBody, startHttpServer, type HttpServer } from '../runtime/http-server';
import type { FunctionLog } from './function-logs';

const MAX_REQUEST_BYTES = 65_536;
const NAMESPACE = 'http://cloudformation.amazonaws.com/doc/2010-05-15/';
/** Stack that the functions, and so their logs, belong to. */
const STACK = /-Operations$/;

/**
 * Serves the one action of CloudFormation by which a function finds the logs of the stacks: their log groups, in the stack of the
 * functions. The other resources are not listed.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
 */
export function startCloudFormation(logs: readonly FunctionLog[]): Promise<HttpServer> {
  return startHttpServer(async (request, response) => {
    const input = new URLSearchParams((await readBody(request, MAX_REQUEST_BYTES))?.toString('utf8'));
    response.setHeader('content-type', 'text/xml');
    if (input.get('Action') !== 'ListStackResources') {
      response.statusCode = 400;
      response.end(
        `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>InvalidAction</Code>` +
          `<Message>Of the API of CloudFormation, only ListStackResources is served here</Message></Error></ErrorResponse>`,
      );
      return;
    }
    const groups = STACK.test(input.get('StackName') ?? '') ? logs : [];
    const members = groups.map(
      ({ group }, index) =>
        `<member><ResourceType>AWS::Logs::LogGroup</ResourceType><LogicalResourceId>Log${index}</LogicalResourceId>` +
        `<PhysicalResourceId>${group}</PhysicalResourceId><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>`,
    );
    response.end(
      `<ListStackResourcesResponse xmlns="${NAMESPACE}"><ListStackResourcesResult>` +
        `<StackResourceSummaries>${members.join('')}</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>`,
    );
  });
}
