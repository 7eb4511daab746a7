import { ChangeMessageVisibilityBatchCommand, DeleteMessageBatchCommand, type Message } from '@aws-sdk/client-sqs';
import { PROVIDER_ATTRIBUTE, providerNamed } from '../../core/providers/queue-message';
import { readQueued } from '../../core/providers/read-queued';
import { QUEUED_PROVIDERS } from '../../core/providers/registry';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { DiscardedMessage, DiscardReport } from './contract';
import { bytesOf, MAX_BATCH_MESSAGES } from './message-batches';
import { type QueueDependencies, receive } from './redrive';

/** Characters that a report has of why a message holds no event. */
const MAX_REASON = 300;

type Dependencies = Pick<QueueDependencies, 'sqs' | 'deadLetterQueueUrl' | 'stop'>;

/**
 * Deletes parked messages, by their ids, that hold no event of a known provider: they can be neither applied nor dismissed. A message
 * that holds an event stays parked. The search hides every message that it looks at, and shows them again at its end; if it is killed, they
 * appear after a minute.
 *
 * @throws OperationError `redrive_failed` (retryable) when SQS does not delete a message, or the time is up before all were found
 */
export async function discard(
  dependencies: Dependencies,
  { messages: ids, dryRun }: { readonly messages: readonly string[]; readonly dryRun: boolean },
): Promise<DiscardReport> {
  const wanted = new Set(ids);
  const found = new Map<string, DiscardedMessage>();
  const handles = new Map<string, string>();
  try {
    while (found.size < wanted.size) {
      if (dependencies.stop.aborted)
        throw new OperationError('redrive_failed', 'The time was up before all were found');
      const received = await receive(dependencies, MAX_BATCH_MESSAGES);
      // Whatever is visible again after the minute for which a message is hidden was looked at before.
      const unseen = received.filter(({ MessageId: id = '' }) => !handles.has(id));
      if (unseen.length === 0) break;
      for (const { MessageId: id = '', ReceiptHandle: handle = '' } of unseen) handles.set(id, handle);
      const judged = unseen.filter(({ MessageId: id = '' }) => wanted.has(id)).map((message) => judge(message, dryRun));
      const deleted = judged.filter(({ outcome }) => outcome === 'deleted').map(({ message }) => message);
      await deleteMessages(dependencies, deleted, handles);
      for (const id of deleted) handles.delete(id);
      for (const each of judged) found.set(each.message, each);
    }
  } finally {
    await show(dependencies, [...handles.values()]);
  }
  const messages = [...wanted].map((message) => found.get(message) ?? { message, outcome: 'notFound' as const });
  return { action: 'discard', dryRun, messages };
}

/** What becomes of a message, and why. Nothing of its body is told: it may name people. */
function judge(message: Message, dryRun: boolean): DiscardedMessage {
  const {
    MessageId: id = '',
    Body: body = '',
    MessageAttributes: attributes,
    Attributes: { SentTimestamp: sent } = {},
  } = message;
  const known = { message: id, sentAt: new Date(Number(sent)).toISOString(), bytes: bytesOf(message) };
  try {
    const provider = providerNamed(attributes?.[PROVIDER_ATTRIBUTE]?.StringValue);
    const { queued, event } = readQueued({ provider, body }, QUEUED_PROVIDERS);
    return { ...known, outcome: 'isEvent', event: queued.provider.identify(event).id };
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    return { ...known, outcome: dryRun ? 'wouldDelete' : 'deleted', reason: error.message.slice(0, MAX_REASON) };
  }
}

/** @param ids of messages of one receive: as many as SQS takes in one call */
async function deleteMessages(
  { sqs, deadLetterQueueUrl: QueueUrl }: Dependencies,
  ids: readonly string[],
  handles: ReadonlyMap<string, string>,
): Promise<void> {
  if (ids.length === 0) return;
  const Entries = ids.map((id, index) => ({ Id: String(index), ReceiptHandle: handles.get(id) }));
  const { Failed: [refused] = [] } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  if (refused === undefined) return;
  const reason = refused.Message ?? refused.Code;
  throw new OperationError('redrive_failed', `SQS did not delete message ${ids[Number(refused.Id)]}: ${reason}`);
}

/** Shows messages again that were only looked at. What SQS does not take is visible again by itself. */
async function show({ sqs, deadLetterQueueUrl: QueueUrl }: Dependencies, handles: readonly string[]): Promise<void> {
  for (let from = 0; from < handles.length; from += MAX_BATCH_MESSAGES) {
    const Entries = handles
      .slice(from, from + MAX_BATCH_MESSAGES)
      .map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle, VisibilityTimeout: 0 }));
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries })).catch(() => undefined);
  }
}
