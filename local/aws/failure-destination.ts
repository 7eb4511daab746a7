import { randomUUID } from 'node:crypto';
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { QueueDefinition } from '../template/platform-template';
import { FunctionError, type LocalFunction } from './lambda-runtime';

/** Keeps a request without an answer that failed. */
export type KeepFailure = (target: LocalFunction, request: unknown, error: unknown) => Promise<void>;

/**
 * Sends what failed to the queue that the function has for it, in the form of Lambda's destinations. Lambda would try again first, a
 * minute later and two minutes after that, as often as the function's configuration says; here the first failure is the last.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
 */
export function keepFailuresIn(
  sqs: SQSClient,
  queues: readonly QueueDefinition[],
  log: (message: string) => void,
): KeepFailure {
  return async ({ definition }, requestPayload, error) => {
    const queue = queues.find(({ arn }) => arn === definition.failureQueueArn);
    // Anything else is the end of the platform, and no failure of the function.
    if (queue === undefined || !(error instanceof FunctionError)) return;
    const { errorType, errorMessage, trace } = error;
    const record = {
      version: '1.0',
      timestamp: new Date().toISOString(),
      requestContext: {
        requestId: randomUUID(),
        functionArn: `${definition.arn}:$LATEST`,
        condition: 'RetriesExhausted',
        approximateInvokeCount: 1,
      },
      requestPayload,
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      responsePayload: { errorType, errorMessage, trace },
    };
    await sqs
      .send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: JSON.stringify(record) }))
      .catch((cause: Error) => log(`A failed request to ${definition.name} is not kept: ${cause.message}`));
  };
}
