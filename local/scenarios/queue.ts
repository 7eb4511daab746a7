import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Platform } from '../platform/platform';
import type { QueueDefinition } from '../template/platform-template';

/** The queue of events, and that of those that are parked. */
export function queuesOf({ template }: Pick<Platform, 'template'>): Record<'events' | 'parked', QueueDefinition> {
  const events = template.queues.find(({ redrive }) => redrive !== undefined);
  const parked = template.queues.find(({ arn }) => arn === events?.redrive?.deadLetterArn);
  if (events === undefined || parked === undefined) throw new Error('The template has no queue of events.');
  return { events, parked };
}

/** Messages of a queue that wait, or are hidden since they were received. */
export async function unfinished(sqs: SQSClient, QueueUrl: string): Promise<number> {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] }),
  );
  return AttributeNames.reduce((sum, attribute) => sum + Number(Attributes?.[attribute]), 0);
}

/**
 * Has a message that was not finished come again after a few seconds instead of the minutes of the template, so that what
 * takes an hour there can be watched here.
 */
export async function withQuickRetries<T>(
  { template, sqs }: Pick<Platform, 'template' | 'sqs'>,
  seconds: number,
  work: () => Promise<T>,
): Promise<T> {
  const { url, visibilityTimeoutSeconds } = queuesOf({ template }).events;
  const hideFor = (timeout: number) =>
    sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { VisibilityTimeout: String(timeout) } }));
  await hideFor(seconds);
  try {
    return await work();
  } finally {
    await hideFor(visibilityTimeoutSeconds);
  }
}

/** Removes the parked message of an event, as an operator does who has read it. @returns whether there was one */
export async function removeParked(
  { template, sqs }: Pick<Platform, 'template' | 'sqs'>,
  id: string,
): Promise<boolean> {
  const QueueUrl = queuesOf({ template }).parked.url;
  const { Messages: messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 1 }),
  );
  const found = messages.find(({ Body: body = '' }) => body.includes(`"${id}"`));
  if (found === undefined) return false;
  await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: found.ReceiptHandle }));
  return true;
}
