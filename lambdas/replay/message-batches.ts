import type { Message } from '@aws-sdk/client-sqs';

/** Messages that SQS takes in one call. */
export const MAX_BATCH_MESSAGES = 10;
/** Bytes of their bodies and attributes together; the limit of a single message is the same. */
export const MAX_BATCH_BYTES = 1_048_576;

/**
 * Splits messages into batches that SQS takes, in their order. A message above the limit, which no queue would have
 * accepted, is in a batch of its own, for SQS to reject.
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

/** Size as SQS counts it: the body, and the name, type and value of each attribute, in UTF-8. */
export function bytesOf({ Body: body = '', MessageAttributes: attributes = {} }: Message): number {
  return Object.entries(attributes).reduce(
    (sum, [name, { DataType: type = '', StringValue: text = '', BinaryValue: binary }]) =>
      sum + Buffer.byteLength(name) + Buffer.byteLength(type) + Buffer.byteLength(text) + (binary?.byteLength ?? 0),
    Buffer.byteLength(body),
  );
}
