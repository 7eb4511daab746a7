import type { Connection, Submittable } from 'pg';
import { freeBuffer } from '../../core/runtime/free-buffer';

/**
 * Bytes of a chunk. PostgreSQL sends one message per row, in packets of 8 KiB; compressing and hashing each on its own
 * costs several times as much. More gains nothing and takes more memory per worker.
 */
const CHUNK_BYTES = 512 * 1024;
/** The most that a socket of Node emits at once; a buffer has room for that much above a chunk. */
const SOCKET_READ_BYTES = 64 * 1024;
/** Type and length, before each message of PostgreSQL's protocol. */
const HEADER_BYTES = 5;
const COPY_DATA = 0x64;
const COPY_DONE = 0x63;
/** Messages that may come between rows: the response to COPY, notices, notifications, changed settings. */
const PASSED_OVER = [0x48, 0x4e, 0x41, 0x53];

type SocketListener = (data: Buffer) => void;

/**
 * The text of a `COPY … TO STDOUT`, in large chunks, with two of them in memory whatever the size of a row.
 *
 * It reads the connection's socket itself while rows arrive, as `pg-copy-streams` does, and returns it to `pg` for the
 * messages after them. Unlike `pg-copy-streams`, it copies rows into buffers that it reuses, and frees the packets at once.
 *
 *     const copy = client.query(new CopyOut('COPY …', signal));
 *     for await (const chunk of copy) …  // a chunk is overwritten once the next one is requested
 *
 * After a failure, or an early stop, the connection is in the middle of a COPY and has to be closed.
 */
export class CopyOut implements Submittable, AsyncIterable<Buffer> {
  /** Rows that arrived: PostgreSQL sends one message for each. Final once the iteration has ended. */
  rows = 0;

  private socket: Connection['stream'] | undefined;
  private parser: SocketListener | undefined;
  private readonly receive: SocketListener = (data) => this.read(data);
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private headerBytes = 0;
  /** Of the present message. */
  private bytesLeft = 0;
  private isRow = false;

  private filling = newBuffer();
  private filled = 0;
  private spare: Buffer | undefined = newBuffer();
  /** Ends the reader's wait for the next chunk, the end or a failure. */
  private wake: () => void = () => undefined;
  private rowsSent: number | undefined;
  private isComplete = false;
  private failure: Error | undefined;

  /**
   * @param sql a COPY to STDOUT in text format
   * @param signal ends the iteration with its reason
   */
  constructor(
    private readonly sql: string,
    signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => {
      this.socket?.pause();
      this.fail(signal.reason as Error);
    });
  }

  /**
   * The rows, in chunks. It ends once the server has confirmed as many rows as arrived.
   *
   * @throws DatabaseError of the server; Error when the connection is lost, or rows are
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    for (;;) {
      while (this.filled < CHUNK_BYTES && !this.isComplete && !this.failure) {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
      if (this.failure) throw this.failure;
      if (this.filled === 0) break;
      const [buffer, bytes] = [this.filling, this.filled];
      this.filling = this.spare ?? newBuffer();
      this.spare = undefined;
      this.filled = 0;
      this.socket?.resume();
      yield buffer.subarray(0, bytes);
      this.spare = buffer;
    }
    if (this.rowsSent !== this.rows) {
      throw new Error(`the server sent ${this.rowsSent} rows, but ${this.rows} arrived`);
    }
    this.freeBuffers();
  }

  /**
   * Frees what the chunks were made in. Left to V8, a megabyte for each table starts a collection of the whole heap every
   * score of tables. Only at the end: after a failure, a thread may still be reading the last chunk.
   */
  private freeBuffers(): void {
    freeBuffer(this.filling);
    if (this.spare) freeBuffer(this.spare);
    this.spare = undefined;
  }

  /** Called by `pg` when the connection is free. */
  submit(connection: Connection): void {
    this.socket = connection.stream;
    [this.parser] = this.socket.listeners('data') as SocketListener[];
    if (this.parser) this.socket.off('data', this.parser);
    this.socket.on('data', this.receive);
    connection.query(this.sql);
  }

  /** Called by `pg` after the last row. */
  handleCommandComplete({ text }: { readonly text: string }): void {
    this.rowsSent = Number(/^COPY (\d+)$/.exec(text)?.[1]);
  }

  /** Called by `pg` when the server has finished with the statement. */
  handleReadyForQuery(): void {
    this.isComplete = true;
    this.wake();
  }

  /** Called by `pg` when the statement fails, or the connection is lost. */
  handleError(error: Error): void {
    this.release();
    this.fail(error);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wake();
  }

  private read(data: Buffer): void {
    let at = 0;
    while (at < data.length) {
      if (this.bytesLeft > 0) {
        const end = Math.min(data.length, at + this.bytesLeft);
        this.bytesLeft -= end - at;
        if (this.isRow) this.append(data, at, end);
        at = end;
        continue;
      }
      const headerEnd = Math.min(data.length, at + HEADER_BYTES - this.headerBytes);
      this.headerBytes += data.copy(this.header, this.headerBytes, at, headerEnd);
      at = headerEnd;
      if (this.headerBytes < HEADER_BYTES) break;
      if (!this.openMessage()) return this.returnSocket(data.subarray(at));
    }
    // All of it was copied.
    freeBuffer(data);
    if (this.filled < CHUNK_BYTES) return;
    // Without a second buffer, the reader is still busy with the last chunk.
    if (!this.spare) this.socket?.pause();
    this.wake();
  }

  /** @returns false when the message is not one of a COPY, but for `pg` */
  private openMessage(): boolean {
    const kind = this.header[0] ?? 0;
    this.isRow = kind === COPY_DATA;
    if (!this.isRow && !PASSED_OVER.includes(kind)) return false;
    if (this.isRow) this.rows += 1;
    // The length counts itself.
    this.bytesLeft = this.header.readUInt32BE(1) - (HEADER_BYTES - 1);
    this.headerBytes = 0;
    return true;
  }

  private append(data: Buffer, from: number, to: number): void {
    if (this.filled + to - from > this.filling.length) {
      const larger = Buffer.allocUnsafe(2 * (this.filled + to - from));
      this.filling.copy(larger, 0, 0, this.filled);
      this.filling = larger;
    }
    this.filled += data.copy(this.filling, this.filled, from, to);
  }

  /** Returns the socket to `pg`, with the bytes that it has to read. */
  private returnSocket(rest: Buffer): void {
    const unread = this.header[0] === COPY_DONE ? rest : Buffer.concat([this.header, rest]);
    const parser = this.parser;
    this.release();
    parser?.(unread);
  }

  private release(): void {
    const { socket, parser } = this;
    if (!socket || !parser) return;
    this.parser = undefined;
    this.socket = undefined;
    socket.off('data', this.receive);
    socket.on('data', parser);
    socket.resume();
  }
}

function newBuffer(): Buffer {
  return Buffer.allocUnsafe(CHUNK_BYTES + SOCKET_READ_BYTES);
}
