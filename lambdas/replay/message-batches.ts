import type { Message } from '@aws-sdk/client-sqs';

/** The most messages that SQS takes at once. */
export const MAX_BATCH_MESSAGES = 10;
/** The most that their bodies and attributes may hold together, in bytes: as much as a single message may. */
export const MAX_BATCH_BYTES = 1_048_576;

/**
 * Messages in batches that SQS takes, in their order. One that is too large by itself – which no queue would have taken –
 * is alone, and SQS says so.
 */
export function batchesOf(messages: readonly Message[]): Message[][] {
  const batches: Message[][] = [];
  let bytes = Infinity;
  for (const message of messages) {
    const own = bytesOf(message);
    const last = batches.at(-1);
    if (last === undefined || last.length === MAX_BATCH_MESSAGES || bytes + own > MAX_BATCH_BYTES) {
      batches.push([message]);
      bytes = own;
    } else {
      last.push(message);
      bytes += own;
    }
  }
  return batches;
}

/** As SQS counts: the body, and of each attribute its name, type and value, in UTF-8. */
export function bytesOf({ Body: body = '', MessageAttributes: attributes = {} }: Message): number {
  return Object.entries(attributes).reduce(
    (sum, [name, { DataType: type = '', StringValue: text = '', BinaryValue: binary }]) =>
      sum + Buffer.byteLength(name) + Buffer.byteLength(type) + Buffer.byteLength(text) + (binary?.byteLength ?? 0),
    Buffer.byteLength(body),
  );
}
