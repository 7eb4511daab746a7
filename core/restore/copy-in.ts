import { Writable } from 'node:stream';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { freeBuffer } from '../runtime/free-buffer';

/** A socket that is written more than this at once calls back only when all of it has been sent. */
const SENT_WHEN_TAKEN_BYTES = 64 * 1024;

/**
 * Sends text into a `COPY … FROM STDIN`, and frees each chunk as soon as it is sent. When the stream is destroyed before
 * its end, the server discards the rows.
 */
export class CopyIn extends Writable {
  private readonly target: ReturnType<typeof copyFrom>;

  /** @param sql a COPY from STDIN in text format */
  constructor(client: Client, sql: string) {
    super({ highWaterMark: SENT_WHEN_TAKEN_BYTES });
    this.target = client.query(copyFrom(sql));
    this.target.on('error', (error) => this.destroy(error));
  }

  /** Rows that the server stored, by its own count. Known once the stream has finished. */
  get rowCount(): number {
    return this.target.rowCount;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.target.write(chunk, (error) => {
      if (!error && chunk.length >= SENT_WHEN_TAKEN_BYTES) freeBuffer(chunk);
      done(error);
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.target.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.target.destroy(error ?? undefined);
    done(error);
  }
}
