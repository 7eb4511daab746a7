/** Messages of PostgreSQL's protocol, version 3: a kind (one byte), a length that counts itself, and a body. */

const LENGTH_BYTES = 4;
const HEADER_BYTES = 1 + LENGTH_BYTES;
/** Requests to encrypt, in place of a version, at the start of a connection. */
const ENCRYPTION_REQUESTS = [80877103, 80877104];
const NOT_ENCRYPTED = Buffer.from('N');

export const MESSAGE = {
  query: 0x51,
  terminate: 0x58,
  readyForQuery: 0x5a,
  error: 0x45,
} as const;

/** Splits a stream of messages, whatever pieces it arrives in. */
export class MessageReader {
  private rest: Buffer = Buffer.alloc(0);

  /** The messages that `data` completes, each with its header. */
  read(data: Uint8Array): Buffer[] {
    this.rest =
      this.rest.length === 0
        ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
        : Buffer.concat([this.rest, data]);
    const messages: Buffer[] = [];
    let at = 0;
    while (this.rest.length - at >= HEADER_BYTES) {
      const end = at + 1 + this.rest.readUInt32BE(at + 1);
      if (end > this.rest.length) break;
      messages.push(this.rest.subarray(at, end));
      at = end;
    }
    this.rest = this.rest.subarray(at);
    return messages;
  }
}

/**
 * Follows the answers of a server without keeping them: their pieces belong to the caller, and of a row of any size only
 * the header is looked at. Errors are kept, because they say why the client will give up.
 */
export class AnswerTracker {
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private headerBytes = 0;
  private bytesLeft = 0;
  private kind = 0;
  private errorPieces: Buffer[] = [];
  /** The first error that the server reported. */
  error: ServerError | undefined;

  /** @returns whether the last byte ends an answer: the server waits for the next query */
  track(data: Buffer): boolean {
    let at = 0;
    let ended = false;
    while (at < data.length) {
      ended = false;
      if (this.bytesLeft === 0) {
        const headerEnd = Math.min(data.length, at + HEADER_BYTES - this.headerBytes);
        this.headerBytes += data.copy(this.header, this.headerBytes, at, headerEnd);
        at = headerEnd;
        if (this.headerBytes < HEADER_BYTES) break;
        this.headerBytes = 0;
        this.kind = this.header[0] ?? 0;
        this.bytesLeft = this.header.readUInt32BE(1) - LENGTH_BYTES;
      }
      const end = Math.min(data.length, at + this.bytesLeft);
      if (this.kind === MESSAGE.error) this.errorPieces.push(Buffer.from(data.subarray(at, end)));
      this.bytesLeft -= end - at;
      at = end;
      if (this.bytesLeft > 0) continue;
      if (this.kind === MESSAGE.error) this.keepError();
      ended = this.kind === MESSAGE.readyForQuery;
    }
    return ended;
  }

  private keepError(): void {
    this.error ??= parseError(Buffer.concat(this.errorPieces));
    this.errorPieces = [];
  }
}

/** What an error message of the server says. */
export interface ServerError {
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
}

function parseError(body: Buffer): ServerError {
  const fields = new Map(
    body
      .toString('utf8')
      .split('\0')
      .filter((field) => field !== '')
      .map((field) => [field.charAt(0), field.slice(1)]),
  );
  return { code: fields.get('C') ?? '', message: fields.get('M') ?? '' };
}

/** The statement of a query message. */
export function queryText(message: Buffer): string {
  return message.toString('utf8', HEADER_BYTES, message.length - 1);
}

/** A query message. */
export function queryMessage(sql: string): Buffer {
  return frame('Q', Buffer.from(`${sql}\0`));
}

/**
 * The answer to the first bytes of a client that is already authenticated elsewhere: consent, the settings that clients
 * are told, and a cancel key that is never used.
 *
 * @param settings of the session that the client is given
 */
export function greeting(startup: Uint8Array, settings: Readonly<Record<string, string>>): Buffer {
  const version = Buffer.from(startup.buffer, startup.byteOffset, startup.byteLength).readUInt32BE(LENGTH_BYTES);
  if (ENCRYPTION_REQUESTS.includes(version)) return NOT_ENCRYPTED;
  return Buffer.concat([
    frame('R', Buffer.alloc(4)),
    ...Object.entries(settings).map(([name, value]) => frame('S', Buffer.from(`${name}\0${value}\0`))),
    frame('K', Buffer.alloc(8)),
    frame('Z', Buffer.from('I')),
  ]);
}

/** Whether the answer of {@link greeting} leaves the client still at its start. */
export function isRefusalToEncrypt(answer: Buffer): boolean {
  return answer === NOT_ENCRYPTED;
}

function frame(kind: string, body: Buffer): Buffer {
  const message = Buffer.alloc(HEADER_BYTES + body.length);
  message.write(kind, 0, 'latin1');
  message.writeUInt32BE(LENGTH_BYTES + body.length, 1);
  body.copy(message, HEADER_BYTES);
  return message;
}
