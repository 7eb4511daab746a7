import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { applyEvents, type ApplyOptions, type EventOutcome, type ReceivedEvent } from '../../core/billing/apply-events';
import { providerOf } from '../../core/providers/queue-message';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import type { ReusableConnection } from '../../core/database/reusable-connection';
import { InvalidRequestError, messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { MAX_ATTEMPTS } from './contract';
import { tally, type Tally } from './tally';

export interface ProcessorDependencies extends ApplyOptions {
  readonly connection: ReusableConnection;
  readonly log: Log;
}

export interface BatchSummary extends Tally {
  /** Exactly the messages that the queue shall deliver again. */
  readonly response: SQSBatchResponse;
  readonly processed: number;
  readonly duplicates: number;
  readonly failed: number;
  /** Failed messages that the queue parks instead of delivering them again. */
  readonly parked: number;
  /** When the provider made each processed event, in seconds since 1970. */
  readonly createdAtSeconds: readonly number[];
}

type Message = { readonly messageId: string; readonly received: ReceivedEvent<StripeEvent> };

/**
 * Applies a batch of queue messages, each with one event as its body. Only messages that cannot be applied are reported; the
 * queue delivers them again and parks them in the dead-letter queue after the third attempt.
 *
 * @throws when the database cannot be reached: the queue delivers the whole batch again
 */
export async function processBatch(
  records: readonly SQSRecord[],
  { connection, log, ...options }: ProcessorDependencies,
): Promise<BatchSummary> {
  const messages: Message[] = [];
  const unreadable: string[] = [];
  for (const record of records) {
    try {
      messages.push({ messageId: record.messageId, received: readMessage(record) });
    } catch (error) {
      log.error('A message holds no event of a known provider', {
        messageId: record.messageId,
        reason: messageOf(error),
      });
      unreadable.push(record.messageId);
    }
  }

  const received = messages.map((message) => message.received);
  const outcomes =
    received.length === 0
      ? new Map<string, EventOutcome>()
      : await connection.use((client) => applyEvents(client, stripeProvider, received, options));

  const failedMessages: string[] = [];
  for (const { messageId, received: item } of messages) {
    const outcome = outcomes.get(item.event.id);
    if (outcome?.status !== 'failed') continue;
    failedMessages.push(messageId);
    const { id: eventId, type } = item.event;
    log.error('An event could not be applied', { messageId, eventId, type, reason: outcome.error });
  }

  const withStatus = (status: EventOutcome['status']) =>
    [...outcomes].filter(([, outcome]) => outcome.status === status).map(([id]) => id);
  const byId = new Map(received.map(({ event }) => [event.id, event]));
  const processed = withStatus('processed').flatMap((id) => byId.get(id) ?? []);
  const tallied = tally(processed, options.defaults?.appId ?? null);
  if (tallied.drifted > 0) {
    log.warn('Events came in the shape of another API version; check the version of the endpoint at Stripe', {
      events: tallied.drifted,
      versions: tallied.driftedVersions,
    });
  }
  const again = new Set([...unreadable, ...failedMessages]);
  return {
    response: { batchItemFailures: [...again].map((itemIdentifier) => ({ itemIdentifier })) },
    parked: records.filter((record) => again.has(record.messageId) && isLastAttempt(record)).length,
    processed: processed.length,
    duplicates: withStatus('duplicate').length + (messages.length - outcomes.size),
    failed: withStatus('failed').length + unreadable.length,
    createdAtSeconds: processed.map(({ created }) => created),
    ...tallied,
  };
}

function isLastAttempt({ attributes }: SQSRecord): boolean {
  return Number(attributes.ApproximateReceiveCount) >= MAX_ATTEMPTS;
}

/** @throws InvalidRequestError when the message holds no event of a known provider */
function readMessage(record: SQSRecord): ReceivedEvent<StripeEvent> {
  const provider = providerOf(record);
  if (provider !== stripeProvider.name) {
    throw new InvalidRequestError(`provider: expected \`${stripeProvider.name}\`, not \`${provider}\``);
  }
  let body: unknown;
  try {
    body = JSON.parse(record.body);
  } catch (cause) {
    throw new InvalidRequestError('The body is not JSON', cause);
  }
  return {
    event: readEvent(body),
    json: record.body,
    source: 'webhook',
    receivedAt: new Date(Number(record.attributes.SentTimestamp)),
  };
}
