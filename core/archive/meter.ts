import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { freeBuffer } from '../runtime/free-buffer';

/**
 * Bytes that are gathered before they are passed on: hashing, and passing to another thread, costs several times as much
 * for small pieces. More gains nothing and takes more memory per worker.
 */
const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

export interface Measurement {
  readonly bytes: number;
  /** Lines, which in COPY text are rows: a newline inside a value is written as `\n`. 0 unless they are counted. */
  readonly rows: number;
  /** Empty when nothing was hashed. */
  readonly sha256: string;
}

/** Passes bytes on in large chunks, and measures them. It owns its input: chunks that it had to copy are freed. */
export class Meter extends Transform {
  private readonly hash: Hash | undefined;
  private gathered: Buffer[] = [];
  private gatheredBytes = 0;
  private bytes = 0;
  private rows = 0;
  private measured: Measurement | undefined;
  private readonly chunkBytes: number;

  /**
   * @param options.countRows count the lines as well
   * @param options.hash compute the SHA-256; @default true
   * @param options.gather @default true; false where the next stream handles small pieces well
   * @param options.verify called with the measurement before the end is passed on. An error that it throws fails the
   * stream, so that a receiver which commits at the end never sees one
   */
  constructor(
    private readonly options: {
      readonly countRows?: boolean;
      readonly hash?: boolean;
      readonly gather?: boolean;
      readonly verify?: (measurement: Measurement) => void;
    } = {},
  ) {
    super({ readableHighWaterMark: CHUNK_BYTES, writableHighWaterMark: CHUNK_BYTES });
    this.hash = options.hash === false ? undefined : createHash('sha256');
    this.chunkBytes = options.gather === false ? 0 : CHUNK_BYTES;
  }

  /** Known only once the stream has ended. */
  get measurement(): Measurement {
    if (!this.measured) throw new Error('The stream has not ended yet');
    return this.measured;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.options.countRows) {
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) this.rows += 1;
    }
    this.gather(chunk);
    this.gatheredBytes += chunk.length;
    if (this.gatheredBytes >= this.chunkBytes) this.passOn();
    done();
  }

  override _flush(done: TransformCallback): void {
    this.passOn();
    this.measured = { bytes: this.bytes, rows: this.rows, sha256: this.hash?.digest('hex') ?? '' };
    try {
      this.options.verify?.(this.measured);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  /**
   * Joins neighbours in one memory, which a decompressor emits when it runs out of input in between: the piece need not
   * be copied, and its last reader can free the whole of that memory.
   */
  private gather(chunk: Buffer): void {
    const last = this.gathered.at(-1);
    if (last === undefined || last.buffer !== chunk.buffer || last.byteOffset + last.length !== chunk.byteOffset) {
      this.gathered.push(chunk);
      return;
    }
    this.gathered[this.gathered.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + chunk.length);
  }

  private passOn(): void {
    if (this.gatheredBytes === 0) return;
    const [first] = this.gathered;
    let chunk = first!;
    if (this.gathered.length > 1) {
      chunk = Buffer.concat(this.gathered, this.gatheredBytes);
      this.gathered.forEach(freeBuffer);
    }
    this.gathered = [];
    this.gatheredBytes = 0;
    this.hash?.update(chunk);
    this.push(chunk);
  }
}
