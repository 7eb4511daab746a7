import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type Message,
} from '@aws-sdk/client-sqs';
import { OperationError } from '../../core/runtime/errors';
import type { RedriveReport } from './contract';
import type { QueueDependencies } from './dependencies';
import { batchesOf, MAX_BATCH_MESSAGES } from './message-batches';

/**
 * Seconds that a received message is hidden while it is moved. One whose copy was sent when the function was killed is
 * seen again after this, and moved again: the ledger takes the second copy for the duplicate that it is.
 */
const VISIBILITY_SECONDS = 60;

/**
 * Moves parked messages back to the queue. Each is sent before it is deleted, so nothing is lost wherever this stops. SQS
 * could move them itself, but then nobody could say how many, stop after a few, or see them go on this machine.
 *
 * @throws OperationError `redrive_failed` (retryable) when SQS refuses a message; it stays parked
 */
export async function redrive(
  dependencies: QueueDependencies,
  { limit, dryRun }: { limit?: number | undefined; dryRun: boolean },
): Promise<RedriveReport> {
  const parked = await parkedMessages(dependencies);
  // No more than were there: one that fails again comes back, and would be moved for ever.
  const wanted = Math.min(limit ?? parked, parked);
  let moved = 0;
  while (!dryRun && moved < wanted && !dependencies.stop.aborted) {
    const messages = await receive(dependencies, Math.min(MAX_BATCH_MESSAGES, wanted - moved));
    if (messages.length === 0) break;
    for (const batch of batchesOf(messages)) {
      await move(dependencies, batch);
      moved += batch.length;
    }
  }
  const rest = wanted - moved;
  const interrupted = !dryRun && rest > 0 && dependencies.stop.aborted;
  return {
    action: 'redrive',
    dry_run: dryRun,
    parked,
    moved,
    ...(interrupted ? { next: { action: 'redrive', limit: rest, dryRun } } : {}),
  };
}

async function parkedMessages({ sqs, deadLetterQueueUrl }: QueueDependencies): Promise<number> {
  const { Attributes: attributes } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: deadLetterQueueUrl,
      AttributeNames: ['ApproximateNumberOfMessages'],
    }),
  );
  return Number(attributes?.ApproximateNumberOfMessages ?? 0);
}

async function receive({ sqs, deadLetterQueueUrl }: QueueDependencies, count: number): Promise<Message[]> {
  const { Messages: messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: deadLetterQueueUrl,
      MaxNumberOfMessages: count,
      MessageAttributeNames: ['All'],
      VisibilityTimeout: VISIBILITY_SECONDS,
      // Without waiting, SQS asks a few of its servers only and may answer that there is nothing.
      WaitTimeSeconds: 1,
    }),
  );
  return messages;
}

async function move(
  { sqs, queueUrl, deadLetterQueueUrl }: QueueDependencies,
  messages: readonly Message[],
): Promise<void> {
  const sent = await sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: queueUrl,
      Entries: messages.map(({ Body, MessageAttributes }, index) => ({
        Id: String(index),
        MessageBody: Body,
        MessageAttributes,
      })),
    }),
  );
  const arrived = (sent.Successful ?? []).flatMap(({ Id }) => messages[Number(Id)] ?? []);
  if (arrived.length > 0) {
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: deadLetterQueueUrl,
        Entries: arrived.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
      }),
    );
  }
  const refused = sent.Failed?.[0];
  if (refused === undefined) return;
  throw new OperationError(
    'redrive_failed',
    `SQS refused ${sent.Failed?.length} of ${messages.length} messages, which stay parked: ${refused.Message ?? refused.Code}`,
  );
}
