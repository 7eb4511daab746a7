import type { SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { applyEvents, type ApplyOptions, type EventOutcome, type ReceivedEvent } from '../../core/billing/apply-events';
import type { ReusableConnection } from '../../core/database/reusable-connection';
import { providerOf } from '../../core/providers/queue-message';
import type { EventSignals, QueuedProvider } from '../../core/providers/queued-provider';
import { readQueued } from '../../core/providers/read-queued';
import { QUEUED_PROVIDERS } from '../../core/providers/registry';
import type { SendMessage } from '../../core/queue/sender';
import { messageOf } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import { MAX_EVENT_ATTEMPTS } from '../../core/providers/contract';
import { tally, type Tally } from './tally';

export interface ProcessorDependencies extends ApplyOptions {
  readonly connection: ReusableConnection;
  readonly log: Log;
  /** Puts a message into the dead-letter queue. */
  readonly park: SendMessage;
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
  /** Neither applied nor failed: they wait for a lock, and are delivered again. */
  readonly deferred: number;
  /** Failed messages that were parked now instead of being delivered again. */
  readonly parked: number;
  /** When the provider made each event that was processed or ignored, in seconds since 1970. */
  readonly createdAtSeconds: readonly number[];
}

interface Message {
  readonly messageId: string;
  readonly received: ReceivedEvent<unknown>;
}

interface FailedMessage {
  readonly messageId: string;
  readonly attempts: number;
}

/** What became of the messages of one provider. */
interface Applied {
  readonly failedMessages: readonly FailedMessage[];
  readonly deferredMessages: readonly string[];
  /** Events that were processed or ignored. */
  readonly recorded: readonly { readonly signals: EventSignals; readonly createdAtSeconds: number }[];
  readonly ignored: number;
  readonly duplicates: number;
  readonly failed: number;
}

/**
 * Applies a batch of queue messages, each with one event as its body: the events of each provider in one transaction. Only
 * messages that cannot be applied are reported, and the queue delivers them again; after the third attempt that the ledger
 * counts, they are parked in the dead-letter queue instead.
 *
 * @throws when the database cannot be reached: the queue delivers the whole batch again, as often as it takes
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
  const failures = [...unreadable, ...applied.flatMap(({ failedMessages }) => failedMessages)];
  const parked = await parkLastAttempts(records, failures, dependencies);
  const deferred = applied.flatMap(({ deferredMessages }) => deferredMessages);
  const again = [...failures.map(({ messageId }) => messageId).filter((id) => !parked.has(id)), ...deferred];
  return {
    response: { batchItemFailures: again.map((itemIdentifier) => ({ itemIdentifier })) },
    deferred: deferred.length,
    parked: parked.size,
    processed: recorded.length - ignored,
    ignored,
    duplicates: sum(({ duplicates }) => duplicates),
    failed: sum(({ failed }) => failed) + unreadable.length,
    createdAtSeconds: recorded.map(({ createdAtSeconds }) => createdAtSeconds),
    ...tallied,
  };
}

/**
 * Parks the messages that failed for the last time. One that the dead-letter queue does not take is delivered again.
 *
 * @returns the ids of those that were parked
 */
async function parkLastAttempts(
  records: readonly SQSRecord[],
  failed: readonly FailedMessage[],
  { park, log }: Pick<ProcessorDependencies, 'park' | 'log'>,
): Promise<ReadonlySet<string>> {
  const last = new Set(
    failed.filter(({ attempts }) => attempts >= MAX_EVENT_ATTEMPTS).map(({ messageId }) => messageId),
  );
  const parked = new Set<string>();
  for (const record of records.filter(({ messageId }) => last.has(messageId))) {
    const { messageId } = record;
    try {
      await park(record.body, providerOf(record));
      parked.add(messageId);
    } catch (error) {
      log.error('A message could not be parked, and is delivered again', { messageId, reason: messageOf(error) });
    }
  }
  return parked;
}

/** The messages by their providers, and those that hold no event, which only the queue counts the attempts of. */
function readMessages(records: readonly SQSRecord[], providers: ReadonlyMap<string, QueuedProvider>, log: Log) {
  const messages = new Map<QueuedProvider, Message[]>();
  const unreadable: FailedMessage[] = [];
  for (const record of records) {
    const { messageId } = record;
    try {
      const { queued, event } = readQueued({ provider: providerOf(record), body: record.body }, providers);
      const receivedAt = new Date(Number(record.attributes.SentTimestamp));
      const message: Message = { messageId, received: { event, json: record.body, source: 'webhook', receivedAt } };
      const others = messages.get(queued);
      if (others) others.push(message);
      else messages.set(queued, [message]);
    } catch (error) {
      log.error('A message holds no event of a known provider', { messageId, reason: messageOf(error) });
      unreadable.push({ messageId, attempts: Number(record.attributes.ApproximateReceiveCount) });
    }
  }
  return { messages, unreadable };
}

async function applyMessages(
  queued: QueuedProvider,
  messages: readonly Message[],
  { connection, log, providers: _providers, park: _park, ...options }: ProcessorDependencies,
): Promise<Applied> {
  const { provider } = queued;
  const received = messages.map((message) => message.received);
  const outcomes = await connection.use((client) => applyEvents(client, provider, received, options));

  const failedMessages: FailedMessage[] = [];
  const deferredMessages: string[] = [];
  const byId = new Map<string, { readonly event: unknown; readonly occurredAt: Date }>();
  for (const { messageId, received: item } of messages) {
    const { id: eventId, type, occurredAt } = provider.identify(item.event);
    byId.set(eventId, { event: item.event, occurredAt });
    const outcome = outcomes.get(eventId);
    if (outcome?.status !== 'failed' && outcome?.status !== 'deferred') continue;
    const details = { messageId, provider: provider.name, eventId, type, reason: outcome.error };
    if (outcome.status === 'deferred') {
      deferredMessages.push(messageId);
      log.warn('An event is tried again later', details);
    } else {
      failedMessages.push({ messageId, attempts: outcome.attempts ?? 0 });
      log.error('An event could not be applied', details);
    }
  }

  const withStatus = (status: EventOutcome['status']) =>
    [...outcomes].filter(([, outcome]) => outcome.status === status).map(([id]) => id);
  // One line for a batch, by which an event is followed that nothing went wrong with.
  log.info('Applied events', {
    provider: provider.name,
    processed: withStatus('processed'),
    ignored: withStatus('ignored'),
    duplicate: withStatus('duplicate'),
  });
  const defaultAppId = options.defaults?.appId ?? null;
  // Without the platform's own, which are no business of anybody's.
  const counted = (status: EventOutcome['status']) =>
    withStatus(status)
      .flatMap((id) => byId.get(id) ?? [])
      .map(({ event, occurredAt }) => ({
        signals: queued.signalsOf(event, defaultAppId),
        createdAtSeconds: occurredAt.getTime() / 1000,
      }))
      .filter(({ signals }) => !signals.canary);
  const ignored = counted('ignored');
  return {
    failedMessages,
    deferredMessages,
    ignored: ignored.length,
    recorded: [...counted('processed'), ...ignored],
    duplicates: withStatus('duplicate').length + (messages.length - outcomes.size),
    failed: withStatus('failed').length,
  };
}
