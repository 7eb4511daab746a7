import { createHash, randomUUID } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { createDecompressor } from '../../../core/restore/decompressor';
import { freeBuffer } from '../../../core/runtime/free-buffer';
import { Meter } from '../../../core/archive/meter';

describe('a meter', () => {
  test('passes on every byte, however they are split, and counts and hashes them', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 0, maxLength: 50 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(chunks, async (pieces) => {
        const meter = new Meter({ countRows: true });
        const whole = Buffer.concat(pieces);
        const passed = await buffer(Readable.from(pieces.map((piece) => Buffer.from(piece))).pipe(meter));
        expect(passed.equals(whole)).toBe(true);
        expect(meter.measurement).toEqual({
          bytes: whole.length,
          rows: whole.filter((byte) => byte === 0x0a).length,
          sha256: createHash('sha256').update(whole).digest('hex'),
        });
      }),
    );
  });

  test('gathers small pieces into large ones', async () => {
    const meter = new Meter();
    const sizes: number[] = [];
    await pipeline(Readable.from(Array.from({ length: 1000 }, () => Buffer.alloc(1000))), meter, async (passed) => {
      for await (const chunk of passed as AsyncIterable<Buffer>) sizes.push(chunk.length);
    });
    expect(sizes.length).toBeLessThan(6);
  });

  test('joins pieces of one memory without copying them', async () => {
    const memory = Buffer.alloc(256 * 1024, 'x');
    const pieces = [memory.subarray(0, 100_000), memory.subarray(100_000, 100_001), memory.subarray(100_001)];
    const passed: Buffer[] = [];
    await pipeline(Readable.from(pieces), new Meter(), async (chunks) => {
      for await (const chunk of chunks as AsyncIterable<Buffer>) passed.push(chunk);
    });
    expect(passed.map((chunk) => [chunk.buffer === memory.buffer, chunk.length])).toEqual([[true, memory.length]]);
  });

  test('frees the pieces that it had to copy, and none that is a part of a larger memory', async () => {
    const own = Buffer.alloc(200_000, 'x');
    const shared = Buffer.alloc(200_000, 'y');
    const expected = Buffer.concat([own, shared.subarray(1)]);
    const passed = await buffer(Readable.from([own, shared.subarray(1)]).pipe(new Meter()));
    expect(passed.equals(expected)).toBe(true);
    expect([own.length, shared.length]).toEqual([0, 200_000]);
  });

  test('with `gather: false` passes on each piece as it is', async () => {
    const meter = new Meter({ gather: false });
    const pieces = [Buffer.alloc(10), Buffer.alloc(20)];
    const passed: number[] = [];
    meter.on('data', (chunk: Buffer) => passed.push(chunk.length));
    await pipeline(Readable.from(pieces), meter);
    expect(passed).toEqual([10, 20]);
  });

  test('whose verification fails ends the stream with that error, before its end', async () => {
    const ended = jest.fn();
    const meter = new Meter({
      verify: () => {
        throw new Error('not what was written');
      },
    });
    const reading = pipeline(Readable.from([Buffer.from('x')]), meter, async (passed) => {
      await buffer(passed as AsyncIterable<Buffer>);
      ended();
    });
    await expect(reading).rejects.toThrow('not what was written');
    expect(ended).not.toHaveBeenCalled();
  });
});

test('a decompressor and the streams after it free their memory without changing a byte', async () => {
  const text = Buffer.from(
    Array.from({ length: 40_000 }, (_, row) => `${row}\t${randomUUID()}\t${randomUUID()}\n`).join(''),
  );
  const compressed = zstdCompressSync(text);
  const pieces: Buffer[] = [];
  // Odd sizes, so that the decompressor runs out of input while it fills a chunk.
  for (let at = 0; at < compressed.length; at += 49_999) {
    // A memory of its own for each, as for the pieces that arrive from S3.
    const piece = Buffer.alloc(Math.min(49_999, compressed.length - at));
    compressed.copy(piece, 0, at);
    pieces.push(piece);
  }
  const hash = createHash('sha256');
  const freed: boolean[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      // Later, as a socket finishes with it.
      setImmediate(() => {
        hash.update(chunk);
        freeBuffer(chunk);
        freed.push(chunk.length === 0);
        done();
      });
    },
  });
  await pipeline(Readable.from(pieces), createDecompressor(), new Meter({ hash: false }), sink);
  expect(hash.digest('hex')).toBe(createHash('sha256').update(text).digest('hex'));
  expect(pieces.map((piece) => piece.length)).toEqual(pieces.map(() => 0));
  // The last piece fills only a part of its memory.
  expect(freed).toEqual([...Array.from({ length: freed.length - 1 }, () => true), false]);
  expect(freed.length).toBeGreaterThan(10);
});
