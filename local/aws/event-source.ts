import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteMessageBatchCommand, ReceiveMessageCommand, type Message, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { EventSourceDefinition, QueueDefinition } from '../template/platform-template';

export interface EventSourceOptions {
  readonly sqs: SQSClient;
  readonly definition: EventSourceDefinition;
  readonly queue: QueueDefinition;
  readonly region: string;
  readonly invoke: (event: SQSEvent) => Promise<unknown>;
  /** Receives the outcome of each batch. @default - none */
  readonly observe?: (outcome: BatchOutcome) => void;
  /** Receives what prevents polling. */
  readonly log: (message: string) => void;
}

/** How the invocation for a batch ended. */
export interface BatchOutcome {
  readonly functionName: string;
  readonly messages: readonly Message[];
  /** Ids of messages that stay in the queue: they become visible again after its visibility timeout. */
  readonly failed: ReadonlySet<string>;
  /** Why the invocation failed as a whole; undefined when the function answered. */
  readonly error: Error | undefined;
  readonly durationMs: number;
}

/** Takes messages from a queue to a function, as Lambda's event source mapping does. */
export interface EventSource {
  /** Ends the polling, once the batch at work is done. */
  stop(): Promise<void>;
}

/** Most messages that SQS gives or deletes at once. */
const SQS_MAXIMUM = 10;
const LONG_POLL_SECONDS = 20;
/** Pause before the next receive when the last returned fewer messages than requested, while a batch gathers. */
const GATHER_PAUSE_MS = 100;
/** Pause after a failure to receive, so that a queue that is gone does not turn into a busy loop. */
const RETRY_PAUSE_MS = 500;

function toEvent(messages: readonly Message[], queueArn: string, region: string): SQSEvent {
  return {
    Records: messages.map((message) => ({
      messageId: message.MessageId ?? '',
      receiptHandle: message.ReceiptHandle ?? '',
      body: message.Body ?? '',
      attributes: message.Attributes as SQSEvent['Records'][number]['attributes'],
      messageAttributes: Object.fromEntries(
        Object.entries(message.MessageAttributes ?? {}).map(([name, { StringValue, DataType }]) => [
          name,
          { stringValue: StringValue, dataType: DataType ?? 'String' },
        ]),
      ),
      md5OfBody: message.MD5OfBody ?? '',
      eventSource: 'aws:sqs',
      eventSourceARN: queueArn,
      awsRegion: region,
    })),
  };
}

/**
 * Ids of the messages that the function did not finish. As in Lambda: no list is success, and an id that is empty or
 * unknown makes the whole batch a failure.
 */
export function failedIds(response: unknown, messages: readonly Message[]): ReadonlySet<string> {
  const all = new Set(messages.map(({ MessageId: id = '' }) => id));
  const failures = (response as SQSBatchResponse | null | undefined)?.batchItemFailures ?? [];
  const ids = failures.map(({ itemIdentifier }) => itemIdentifier);
  return ids.every((id) => all.has(id)) ? new Set(ids) : all;
}

/** Receives at most `count` messages, waiting for the first at most `waitSeconds`. */
async function receive(
  { sqs, queue }: EventSourceOptions,
  { count, waitSeconds }: { readonly count: number; readonly waitSeconds: number },
  abortSignal: AbortSignal,
): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: queue.url,
    MaxNumberOfMessages: Math.min(SQS_MAXIMUM, count),
    WaitTimeSeconds: waitSeconds,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
  });
  const { Messages: messages = [] } = await sqs.send(command, { abortSignal });
  return messages;
}

/** Receives up to a batch: the messages in the queue, and those that arrive within the batching window after the first. */
async function receiveBatch(options: EventSourceOptions, abortSignal: AbortSignal): Promise<Message[]> {
  const { batchSize, batchingWindowSeconds } = options.definition;
  const messages = await receive(options, { count: batchSize, waitSeconds: LONG_POLL_SECONDS }, abortSignal);
  const deadline = Date.now() + batchingWindowSeconds * 1000;
  while (messages.length > 0 && messages.length < batchSize && Date.now() < deadline) {
    const count = batchSize - messages.length;
    const received = await receive(options, { count, waitSeconds: 0 }, abortSignal);
    messages.push(...received);
    // A long poll would return with each single message, and cost more than all else on the way of an event.
    if (received.length < Math.min(SQS_MAXIMUM, count)) {
      await sleep(Math.min(GATHER_PAUSE_MS, Math.max(0, deadline - Date.now())), undefined, { signal: abortSignal });
    }
  }
  return messages;
}

async function deleteMessages({ sqs, queue }: EventSourceOptions, messages: readonly Message[]): Promise<void> {
  for (let start = 0; start < messages.length; start += SQS_MAXIMUM) {
    const Entries = messages
      .slice(start, start + SQS_MAXIMUM)
      .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queue.url, Entries }));
  }
}

/** Hands one batch to the function and deletes what it finished; the rest becomes visible again in time. */
async function processBatch(options: EventSourceOptions, messages: readonly Message[]): Promise<void> {
  const { definition, queue, region, invoke, observe } = options;
  const started = performance.now();
  const ended = (failed: ReadonlySet<string>, error?: Error): void => {
    const { functionName } = definition;
    observe?.({ functionName, messages, failed, error, durationMs: performance.now() - started });
  };
  let failed: ReadonlySet<string>;
  try {
    const response = await invoke(toEvent(messages, queue.arn, region));
    failed = failedIds(definition.reportsBatchItemFailures ? response : undefined, messages);
  } catch (error) {
    ended(new Set(messages.map(({ MessageId: id = '' }) => id)), error as Error);
    return;
  }
  ended(failed);
  await deleteMessages(
    options,
    messages.filter(({ MessageId: id = '' }) => !failed.has(id)),
  );
}

/** Starts polling. */
export function startEventSource(options: EventSourceOptions): EventSource {
  const stopping = new AbortController();
  const { signal } = stopping;
  const poll = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const messages = await receiveBatch(options, signal);
        if (messages.length > 0) await processBatch(options, messages);
      } catch (error) {
        if (signal.aborted) return;
        options.log(`polling ${options.queue.name}: ${(error as Error).message}`);
        await sleep(RETRY_PAUSE_MS);
      }
    }
  };
  const polling = poll();
  return {
    async stop() {
      stopping.abort();
      await polling;
    },
  };
}
