import { randomBytes } from 'node:crypto';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { keepFailuresIn } from '../../local/aws/failure-destination';
import { FunctionError, type LocalFunction } from '../../local/aws/lambda-runtime';
import type { QueueDefinition } from '../../local/template/platform-template';
import { testServices } from '../support/services';

const ARN = 'arn:aws:sqs:eu-central-1:000000000000:failures';
const FUNCTION = 'arn:aws:lambda:eu-central-1:000000000000:function:backup';
const FAILURE = new FunctionError('backup', 'StoreUnavailable', 'S3 is away', '/log', ['at backup']);

let sqs: SQSClient;
let queue: QueueDefinition;
let logged: string[];

beforeEach(async () => {
  logged = [];
  sqs = new SQSClient({ endpoint: testServices().awsEndpoint });
  const name = `failures-${randomBytes(6).toString('hex')}`;
  const { QueueUrl: url = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  queue = { name, arn: ARN, url, visibilityTimeoutSeconds: 30, redrive: undefined };
});
afterEach(() => sqs.destroy());

async function keep(error: unknown, failureQueueArn?: string, queues: readonly QueueDefinition[] = [queue]) {
  const target = { definition: { name: 'backup', arn: FUNCTION, failureQueueArn } } as LocalFunction;
  await keepFailuresIn(sqs, queues, (line) => logged.push(line))(target, { database: 'billing' }, error);
  const { Messages: messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queue.url }));
  return messages.map(({ Body = '' }) => JSON.parse(Body) as unknown);
}

test('a failed request is in the queue of its function, as Lambda sends it', async () => {
  expect(await keep(FAILURE, ARN)).toEqual([
    {
      version: '1.0',
      timestamp: expect.any(String) as string,
      requestContext: {
        requestId: expect.any(String) as string,
        functionArn: `${FUNCTION}:$LATEST`,
        condition: 'RetriesExhausted',
        approximateInvokeCount: 1,
      },
      requestPayload: { database: 'billing' },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      responsePayload: { errorType: 'StoreUnavailable', errorMessage: 'S3 is away', trace: ['at backup'] },
    },
  ]);
});

test.each<[string, unknown, string | undefined]>([
  ['of a function without such a queue', FAILURE, undefined],
  ['that the end of the platform interrupted', new Error('backup was stopped.'), ARN],
])('a request %s is not kept', async (_case, error, arn) => {
  expect(await keep(error, arn)).toEqual([]);
  expect(logged).toEqual([]);
});

test('a queue that does not take it is said on the console', async () => {
  await keep(FAILURE, ARN, [{ ...queue, url: `${queue.url}-gone` }]);
  expect(logged).toEqual([expect.stringMatching(/^A failed request to backup is not kept: /)]);
});
