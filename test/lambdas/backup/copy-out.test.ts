import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import type { Connection } from 'pg';
import { CopyOut } from '../../../lambdas/backup/copy-out';

/** A message of PostgreSQL's protocol. */
function message(kind: string, content: Buffer | string = ''): Buffer {
  const body = Buffer.from(content);
  const head = Buffer.alloc(5);
  head.write(kind);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A connection whose server is the test; `pg` stands for the reader of its socket before and after the COPY. */
function connect(copy: CopyOut) {
  const pg = jest.fn<void, [Buffer]>();
  const socket = Object.assign(new EventEmitter(), { pause: jest.fn(), resume: jest.fn() });
  socket.on('data', pg);
  copy.submit({ stream: socket, query: () => undefined } as unknown as Connection);
  return {
    pg,
    socket,
    send: (...pieces: Buffer[]) => pieces.forEach((piece) => socket.emit('data', Buffer.from(piece))),
  };
}

/** Ends the statement as `pg` does. */
function complete(copy: CopyOut, rows: number): void {
  copy.handleCommandComplete({ text: `COPY ${rows}` });
  copy.handleReadyForQuery();
}

async function textOf(copy: CopyOut): Promise<string> {
  let text = '';
  for await (const chunk of copy) text += chunk.toString('latin1');
  return text;
}

const never = new AbortController().signal;
const STARTED = message('H', '\0\0\0');

describe('the rows of a COPY', () => {
  test('arrive complete and in order, however the network splits them, and pg reads the messages after them', async () => {
    const rows = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 40 }), { maxLength: 12 });
    const cuts = fc.array(fc.nat(600), { maxLength: 30 });
    const rest = Buffer.concat([message('C', 'COPY\0'), message('Z', 'I')]);
    await fc.assert(
      fc.asyncProperty(rows, cuts, async (lines, at) => {
        const noticed = lines.flatMap((line) => [message('d', line), message('N', 'a notice')]);
        const bytes = Buffer.concat([STARTED, ...noticed, message('c'), rest]);
        const ends = [...at.filter((cut) => cut < bytes.length), bytes.length].toSorted((a, b) => a - b);
        const copy = new CopyOut('COPY', never);
        const { pg, send } = connect(copy);
        const reading = textOf(copy);
        send(...ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end)));
        complete(copy, lines.length);
        expect(await reading).toBe(lines.join(''));
        expect(copy.rows).toBe(lines.length);
        expect(Buffer.concat(pg.mock.calls.map(([data]) => data))).toEqual(rest);
      }),
    );
  });

  test('that are larger than the buffers arrive in several chunks, whose memory is freed at the end', async () => {
    const copy = new CopyOut('COPY', never);
    const { send } = connect(copy);
    const row = randomBytes(3_000_000);
    const chunks: Buffer[] = [];
    let last: Buffer | undefined;
    const reading = (async () => {
      for await (const chunk of copy) {
        last = chunk;
        await new Promise(setImmediate);
        // Copied late: nothing may overwrite the chunk while it is read.
        chunks.push(Buffer.from(chunk));
      }
    })();
    const bytes = Buffer.concat([STARTED, message('d', row), message('c')]);
    for (let at = 0; at < bytes.length; at += 8192) {
      send(bytes.subarray(at, at + 8192));
      await new Promise(setImmediate);
    }
    complete(copy, 1);
    await reading;
    expect(Buffer.concat(chunks).equals(row)).toBe(true);
    expect(last?.byteLength).toBe(0);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThan(600_000);
  });

  test('wait in the network while the reader is busy', async () => {
    const copy = new CopyOut('COPY', never);
    const { socket, send } = connect(copy);
    const half = message('d', Buffer.alloc(300_000, 'x'));
    send(STARTED, half, half);
    const rows = copy[Symbol.asyncIterator]();
    await rows.next();
    socket.resume.mockClear();
    send(half);
    expect(socket.pause).not.toHaveBeenCalled();
    send(half);
    expect(socket.pause).toHaveBeenCalled();
    await rows.next();
    expect(socket.resume).toHaveBeenCalled();
  });

  test('fail when the server reports more than arrived', async () => {
    const copy = new CopyOut('COPY', never);
    const { send } = connect(copy);
    const reading = textOf(copy);
    send(STARTED, message('d', 'a\n'), message('d', 'b\n'), message('c'));
    complete(copy, 3);
    await expect(reading).rejects.toThrow('the server sent 3 rows, but 2 arrived');
  });

  test('end with the error of the server, which pg reads completely', async () => {
    const copy = new CopyOut('COPY', never);
    const { pg, send } = connect(copy);
    const reading = textOf(copy);
    const error = message('E', 'SERROR\0');
    send(STARTED, message('d', 'a\n'), error);
    expect(pg.mock.calls).toEqual([[error]]);
    copy.handleError(new Error('out of disk'));
    await expect(reading).rejects.toThrow('out of disk');
  });

  test('release the connection to pg once complete, even if the other work is aborted', async () => {
    const stop = new AbortController();
    const copy = new CopyOut('COPY', stop.signal);
    const { pg, socket, send } = connect(copy);
    const reading = textOf(copy);
    send(STARTED, message('d', 'a\n'), message('c'));
    complete(copy, 1);
    expect(await reading).toBe('a\n');
    stop.abort();
    expect(socket.pause).not.toHaveBeenCalled();
    expect(socket.listeners('data')).toEqual([pg]);
  });

  test('end when the copy is aborted, even while none arrive', async () => {
    const stop = new AbortController();
    const copy = new CopyOut('COPY', stop.signal);
    const { pg, socket, send } = connect(copy);
    const reading = textOf(copy);
    send(STARTED, message('d', 'a\n'));
    stop.abort();
    await expect(reading).rejects.toThrow('aborted');
    expect(socket.pause).toHaveBeenCalled();
    // `pg` cannot handle rows of a COPY.
    expect(pg).not.toHaveBeenCalled();
  });
});
