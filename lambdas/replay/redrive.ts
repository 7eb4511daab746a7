import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type Message,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { OperationError } from '../../core/runtime/errors';
import type { RedriveReport } from './contract';
import { batchesOf, MAX_BATCH_MESSAGES } from './message-batches';

export interface QueueDependencies {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  /** Aborted when the time is up: the report then holds the request that continues. */
  readonly stop: AbortSignal;
}

/**
 * Seconds that a received message is hidden while it is moved. If the function is killed between sending and deleting, the
 * message reappears after this and is moved again; the ledger recognises the second copy as a duplicate.
 */
const VISIBILITY_SECONDS = 60;

/**
 * Moves parked messages back to the queue. Each is sent before it is deleted, so none is lost wherever this stops. SQS can
 * move messages itself, but without a limit, without a count, and not on the local stand-in.
 *
 * @param options.limit messages to move at most. @default those that are parked at the start
 * @throws OperationError `redrive_failed` (retryable) when SQS refuses a message; it stays parked
 */
export async function redrive(
  dependencies: QueueDependencies,
  options: { limit?: number | undefined; dryRun: boolean },
): Promise<RedriveReport> {
  const { limit, dryRun } = options;
  const parked = await parkedMessages(dependencies);
  // Not more than were parked at the start: a message that fails again is parked again, and would be moved for ever.
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
    dryRun,
    parked,
    moved,
    ...(interrupted ? { next: { action: 'redrive', limit: rest, dryRun } } : {}),
  };
}

async function parkedMessages({ sqs, deadLetterQueueUrl }: QueueDependencies): Promise<number> {
  const { Attributes: attributes } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl: deadLetterQueueUrl,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
    }),
  );
  // One that somebody has just looked at is hidden for a moment, and parked all the same.
  const { ApproximateNumberOfMessages: visible = 0, ApproximateNumberOfMessagesNotVisible: hidden = 0 } =
    attributes ?? {};
  return Number(visible) + Number(hidden);
}

/** Receives parked messages, which hides them for {@link VISIBILITY_SECONDS}. @returns none when no more are visible */
export async function receive(
  { sqs, deadLetterQueueUrl }: Pick<QueueDependencies, 'sqs' | 'deadLetterQueueUrl'>,
  count: number,
): Promise<Message[]> {
  const { Messages: messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: deadLetterQueueUrl,
      MaxNumberOfMessages: count,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['SentTimestamp'],
      VisibilityTimeout: VISIBILITY_SECONDS,
      // Without a wait, SQS polls only a few of its servers and may return no message although there are some.
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
