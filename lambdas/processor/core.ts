import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { applyEvents, type QueryObserver, type ReceivedEvent } from '../shared/billing/apply-events';
import { readEvent } from '../shared/billing/stripe-shapes';
import type { ReusableConnection } from '../shared/database/reusable-connection';
import { InvalidRequestError, messageOf } from '../shared/errors';
import type { Log } from '../shared/telemetry';

export interface ProcessorDependencies {
  readonly connection: ReusableConnection;
  readonly log: Log;
  readonly observe: QueryObserver;
}

export interface BatchSummary {
  /** What the queue is told: exactly the messages that are to be delivered again. */
  readonly response: SQSBatchResponse;
  readonly processed: number;
  readonly duplicates: number;
  readonly failed: number;
  /** Seconds since 1970 at which Stripe made each event that was processed. */
  readonly processedMoments: readonly number[];
}

type Message = { readonly messageId: string; readonly received: ReceivedEvent };

/**
 * Applies a batch of queue messages, each the body of one Stripe event. A message that cannot be applied is reported
 * alone; the queue delivers it again and parks it in the dead-letter queue after the third attempt.
 *
 * @throws when the database cannot be reached: the queue delivers the whole batch again
 */
export async function processBatch(
  records: readonly SQSRecord[],
  { connection, log, observe }: ProcessorDependencies,
): Promise<BatchSummary> {
  const messages: Message[] = [];
  const unreadable: string[] = [];
  for (const record of records) {
    try {
      messages.push({ messageId: record.messageId, received: readMessage(record) });
    } catch (error) {
      log.error('A message is not a Stripe event', { messageId: record.messageId, reason: messageOf(error) });
      unreadable.push(record.messageId);
    }
  }

  const received = messages.map((message) => message.received);
  const outcomes =
    received.length === 0 ? new Map() : await connection.use((client) => applyEvents(client, received, { observe }));

  const failedMessages = messages.filter(({ received: { event } }) => outcomes.get(event.id)?.status === 'failed');
  for (const {
    messageId,
    received: { event },
  } of failedMessages) {
    log.error('An event could not be applied', {
      messageId,
      eventId: event.id,
      type: event.type,
      reason: outcomes.get(event.id)?.error,
    });
  }
  const withStatus = (status: string) =>
    [...outcomes].filter(([, outcome]) => outcome.status === status).map(([id]) => id);
  const processed = new Set(withStatus('processed'));
  const moments = new Map(received.map(({ event }) => [event.id, event.created]));
  return {
    response: {
      batchItemFailures: [...unreadable, ...failedMessages.map(({ messageId }) => messageId)].map((itemIdentifier) => ({
        itemIdentifier,
      })),
    },
    processed: processed.size,
    duplicates: withStatus('duplicate').length + (messages.length - outcomes.size),
    failed: withStatus('failed').length + unreadable.length,
    processedMoments: [...processed].map((id) => moments.get(id) ?? 0),
  };
}

function readMessage(record: SQSRecord): ReceivedEvent {
  let body: unknown;
  try {
    body = JSON.parse(record.body);
  } catch (cause) {
    throw new InvalidRequestError('The body is not JSON', cause);
  }
  return {
    event: readEvent(body),
    source: 'webhook',
    receivedAt: new Date(Number(record.attributes.SentTimestamp)),
  };
}
