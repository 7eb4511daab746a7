import type { Context } from './context';
import { explain } from './errors';

/** A message of a queue. */
export interface PeekedMessage {
  readonly id: string;
  readonly sentAt: string;
  readonly receives: number;
  readonly body: string;
}

/** Messages that one call returns at most. */
const MAX_PER_CALL = 10;
/** A standard queue answers from a few of its servers: several calls see more. */
const CALLS = 5;

/** Looks at messages of a queue, the oldest first. They stay in it. */
export async function peek(
  { clients, target }: Pick<Context, 'clients' | 'target'>,
  queueUrl: string,
): Promise<PeekedMessage[]> {
  const { ReceiveMessageCommand } = await import('@aws-sdk/client-sqs');
  const found = new Map<string, PeekedMessage>();
  try {
    const sqs = await clients.sqs();
    for (let call = 0; call < CALLS; call += 1) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: MAX_PER_CALL,
          VisibilityTimeout: 0,
          MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount'],
        }),
      );
      for (const { MessageId: id = '', Body: body = '', Attributes = {} } of Messages) {
        const sentAt = new Date(Number(Attributes.SentTimestamp ?? 0)).toISOString();
        found.set(id, { id, sentAt, receives: Number(Attributes.ApproximateReceiveCount ?? 0), body });
      }
      if (Messages.length === 0) break;
    }
  } catch (cause) {
    throw explain(cause, 'read the queue', target.label);
  }
  return [...found.values()].toSorted((a, b) => (a.sentAt < b.sentAt ? -1 : 1));
}
