import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { applyEvents, type ApplyOptions, type EventOutcome, type ReceivedEvent } from '../../core/billing/apply-events';
import type { ReusableConnection } from '../../core/database/reusable-connection';
import { providerOf } from '../../core/providers/queue-message';
import type { EventSignals, QueuedProvider } from '../../core/providers/queued-provider';
import { QUEUED_PROVIDERS } from '../../core/providers/registry';
import { InvalidRequestError, messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { MAX_ATTEMPTS } from './contract';
import { tally, type Tally } from './tally';

export interface ProcessorDependencies extends ApplyOptions {
  readonly connection: ReusableConnection;
  readonly log: Log;
  /** Providers by their names in queue messages. @default all */
  readonly providers?: ReadonlyMap<string, QueuedProvider>;
}

export interface BatchSummary extends Tally {
  /** Exactly the messages that the queue shall deliver again. */
  readonly response: SQSBatchResponse;
  readonly processed: number;
  /** Recorded, and not acted on. */
  readonly ignored: number;
  readonly duplicates: number;
  readonly failed: number;
  /** Failed messages that the queue parks instead of delivering them again. */
  readonly parked: number;
  /** When the provider made each event that was processed or ignored, in seconds since 1970. */
  readonly createdAtSeconds: readonly number[];
}

interface Message {
  readonly messageId: string;
  readonly received: ReceivedEvent<unknown>;
}

/** What became of the messages of one provider. */
interface Applied {
  readonly failedMessages: readonly string[];
  /** Events that were processed or ignored. */
  readonly recorded: readonly { readonly signals: EventSignals; readonly createdAtSeconds: number }[];
  readonly ignored: number;
  readonly duplicates: number;
  readonly failed: number;
}

/**
 * Applies a batch of queue messages, each with one event as its body: the events of each provider in one transaction. Only
 * messages that cannot be applied are reported; the queue delivers them again and parks them in the dead-letter queue after
 * the third attempt.
 *
 * @throws when the database cannot be reached: the queue delivers the whole batch again
 */
export async function processBatch(
  records: readonly SQSRecord[],
  dependencies: ProcessorDependencies,
): Promise<BatchSummary> {
  const { log, providers = QUEUED_PROVIDERS } = dependencies;
  const { messages, unreadable } = readMessages(records, providers, log);
  const applied: Applied[] = [];
  for (const [provider, ofProvider] of messages) applied.push(await applyMessages(provider, ofProvider, dependencies));

  const sum = (count: (part: Applied) => number) => applied.reduce((total, part) => total + count(part), 0);
  const recorded = applied.flatMap((part) => part.recorded);
  const ignored = sum((part) => part.ignored);
  const tallied = tally(recorded.map(({ signals }) => signals));
  if (tallied.drifted > 0) {
    log.warn('Events came in the shape of another API version; check the version of the endpoint at the provider', {
      events: tallied.drifted,
      versions: tallied.driftedVersions,
    });
  }
  const again = new Set([...unreadable, ...applied.flatMap(({ failedMessages }) => failedMessages)]);
  return {
    response: { batchItemFailures: [...again].map((itemIdentifier) => ({ itemIdentifier })) },
    parked: records.filter((record) => again.has(record.messageId) && isLastAttempt(record)).length,
    processed: recorded.length - ignored,
    ignored,
    duplicates: sum(({ duplicates }) => duplicates),
    failed: sum(({ failed }) => failed) + unreadable.length,
    createdAtSeconds: recorded.map(({ createdAtSeconds }) => createdAtSeconds),
    ...tallied,
  };
}

/** The messages by their providers, and the ids of those that hold no event. */
function readMessages(records: readonly SQSRecord[], providers: ReadonlyMap<string, QueuedProvider>, log: Log) {
  const messages = new Map<QueuedProvider, Message[]>();
  const unreadable: string[] = [];
  for (const record of records) {
    const { messageId } = record;
    try {
      const provider = queuedProvider(record, providers);
      const message = { messageId, received: readMessage(record, provider) };
      const others = messages.get(provider);
      if (others) others.push(message);
      else messages.set(provider, [message]);
    } catch (error) {
      log.error('A message holds no event of a known provider', { messageId, reason: messageOf(error) });
      unreadable.push(messageId);
    }
  }
  return { messages, unreadable };
}

async function applyMessages(
  queued: QueuedProvider,
  messages: readonly Message[],
  { connection, log, providers: _providers, ...options }: ProcessorDependencies,
): Promise<Applied> {
  const { provider } = queued;
  const received = messages.map((message) => message.received);
  const outcomes = await connection.use((client) => applyEvents(client, provider, received, options));

  const failedMessages: string[] = [];
  const byId = new Map<string, { readonly event: unknown; readonly occurredAt: Date }>();
  for (const { messageId, received: item } of messages) {
    const { id: eventId, type, occurredAt } = provider.identify(item.event);
    byId.set(eventId, { event: item.event, occurredAt });
    const outcome = outcomes.get(eventId);
    if (outcome?.status !== 'failed') continue;
    failedMessages.push(messageId);
    log.error('An event could not be applied', {
      messageId,
      provider: provider.name,
      eventId,
      type,
      reason: outcome.error,
    });
  }

  const withStatus = (status: EventOutcome['status']) =>
    [...outcomes].filter(([, outcome]) => outcome.status === status).map(([id]) => id);
  const defaultAppId = options.defaults?.appId ?? null;
  const ignored = withStatus('ignored');
  return {
    failedMessages,
    ignored: ignored.length,
    recorded: [...withStatus('processed'), ...ignored]
      .flatMap((id) => byId.get(id) ?? [])
      .map(({ event, occurredAt }) => ({
        signals: queued.signalsOf(event, defaultAppId),
        createdAtSeconds: occurredAt.getTime() / 1000,
      })),
    duplicates: withStatus('duplicate').length + (messages.length - outcomes.size),
    failed: withStatus('failed').length,
  };
}

function isLastAttempt({ attributes }: SQSRecord): boolean {
  return Number(attributes.ApproximateReceiveCount) >= MAX_ATTEMPTS;
}

/** @throws InvalidRequestError when the platform does not know the provider */
function queuedProvider(record: SQSRecord, providers: ReadonlyMap<string, QueuedProvider>): QueuedProvider {
  const name = providerOf(record);
  const provider = providers.get(name);
  if (provider) return provider;
  const known = [...providers.keys()].map((other) => `\`${other}\``).join(', ');
  throw new InvalidRequestError(`provider: expected one of ${known}, not \`${name}\``);
}

/** @throws InvalidRequestError when the message holds no event of the provider */
function readMessage(record: SQSRecord, provider: QueuedProvider): ReceivedEvent<unknown> {
  let body: unknown;
  try {
    body = JSON.parse(record.body);
  } catch (cause) {
    throw new InvalidRequestError('The body is not JSON', cause);
  }
  return {
    event: provider.readEvent(body),
    json: record.body,
    source: 'webhook',
    receivedAt: new Date(Number(record.attributes.SentTimestamp)),
  };
}
