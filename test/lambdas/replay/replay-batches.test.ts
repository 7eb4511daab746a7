import type { Message } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { batchesOf, bytesOf, MAX_BATCH_BYTES, MAX_BATCH_MESSAGES } from '../../../lambdas/replay/message-batches';

/** Of every size that a queue takes, in characters of one to four bytes. */
const messageArbitrary = fc
  .record({ size: fc.integer({ min: 1, max: MAX_BATCH_BYTES }), character: fc.constantFrom('x', 'é', '€', '😀') })
  .map(({ size, character }): Message => {
    const count = Math.max(1, Math.floor(size / Buffer.byteLength(character)));
    return { Body: character.repeat(count) };
  });
const bytesIn = (batch: readonly Message[]) => batch.reduce((sum, message) => sum + bytesOf(message), 0);

test('messages of any size are split into as few batches as SQS allows, each message once and in order', () => {
  fc.assert(
    fc.property(fc.array(messageArbitrary, { maxLength: 30 }), (messages) => {
      const batches = batchesOf(messages);

      expect(batches.flat()).toEqual(messages);
      for (const [index, batch] of batches.entries()) {
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(MAX_BATCH_MESSAGES);
        expect(bytesIn(batch)).toBeLessThanOrEqual(MAX_BATCH_BYTES);
        const next = batches[index + 1]?.[0];
        const full =
          next === undefined || batch.length === MAX_BATCH_MESSAGES || bytesIn(batch) + bytesOf(next) > MAX_BATCH_BYTES;
        expect(full).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test('the size of a message counts its attributes with their names, types and values', () => {
  const attributes = {
    é: { DataType: 'String', StringValue: '€' },
    b: { DataType: 'Binary', BinaryValue: new Uint8Array(5) },
  };

  expect(bytesOf({ Body: 'xyz', MessageAttributes: attributes })).toBe(3 + (2 + 6 + 3) + (1 + 6 + 5));
});

test('a message that is too large by itself is sent alone, for SQS to refuse', () => {
  const [small, large] = [{ Body: 'x' }, { Body: 'x'.repeat(MAX_BATCH_BYTES + 1) }];

  expect(batchesOf([small, large, small])).toEqual([[small], [large], [small]]);
});
