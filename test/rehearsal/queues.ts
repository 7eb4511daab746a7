import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Rehearsal } from './rehearsal';

/** Seconds, instead of the stack's minutes, to keep the rehearsal short. */
const VISIBILITY_SECONDS = 3;
const VISIBILITY = 'VisibilityTimeout';

/** Takes everything that is visible in a queue; gives the bodies. */
export async function takeMessages(sqs: SQSClient, url: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const { Messages: messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 0 }),
    );
    if (messages.length === 0) return bodies;
    for (const { Body: body = '', ReceiptHandle: handle } of messages) {
      bodies.push(body);
      await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: handle }));
    }
  }
}

/** Runs `work` while the queue of events delivers unprocessed messages again after seconds. */
export async function withQuickRetries<T>({ deployment, options }: Rehearsal, work: () => Promise<T>): Promise<T> {
  const { sqs } = options.clients;
  const { physicalId: url } = await deployment.find('Operations', 'AWS::SQS::Queue', 'EventQueueEvents');
  const { Attributes: { [VISIBILITY]: before = '' } = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [VISIBILITY] }),
  );
  const hideFor = (seconds: string) =>
    sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { [VISIBILITY]: seconds } }));
  await hideFor(String(VISIBILITY_SECONDS));
  try {
    return await work();
  } finally {
    await hideFor(before);
  }
}
