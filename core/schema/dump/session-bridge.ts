import type { Connection, Submittable } from 'pg';
import { freeBuffer } from '../../runtime/free-buffer';
import {
  AnswerTracker,
  greeting,
  isRefusalToEncrypt,
  MESSAGE,
  MessageReader,
  queryMessage,
  queryText,
  type ServerError,
} from './protocol';

type SocketListener = (data: Buffer) => void;

/** Statements that are sent to the server in place of the client's; `undefined` leaves one as it is. */
export type RewriteStatement = (sql: string) => string | undefined;

/**
 * Lends a connection of `pg`, authenticated and with its TLS, to a client that speaks the protocol itself. Queries go to
 * the server one at a time; the client's startup and its goodbye are answered here.
 *
 *     const bridge = client.query(new SessionBridge(settings, rewrite));
 *     const answer = await bridge.exchange(bytes);  // as often as the client writes
 *     await bridge.close();                         // the connection is `pg`'s again
 */
export class SessionBridge implements Submittable {
  private connection: Connection | undefined;
  private parser: SocketListener | undefined;
  private readonly receive: SocketListener = (data) => this.read(data);
  private readonly requests = new MessageReader();
  private readonly answers = new AnswerTracker();
  private started = false;
  private pieces: Buffer[] = [];
  /** Set when the connection is lost. */
  connectionError: Error | undefined;
  private settle: { resolve(): void; reject(error: Error): void } | undefined;

  /**
   * @param settings that a server reports at the start of a session, by name
   * @param rewrite told each statement of the client
   */
  constructor(
    private readonly settings: Readonly<Record<string, string>>,
    private readonly rewrite: RewriteStatement,
  ) {}

  /** The first error that the server reported to the client. */
  get serverError(): ServerError | undefined {
    return this.answers.error;
  }

  /**
   * Takes what the client wrote; resolves with what it is to read, which is nothing when it has not said all yet. The
   * bytes have a buffer of their own, which may be transferred to another thread.
   *
   * @throws Error when the connection is lost
   */
  async exchange(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.started) {
      const answer = greeting(bytes, this.settings);
      this.started = !isRefusalToEncrypt(answer);
      return joined([answer]);
    }
    for (const message of this.requests.read(bytes)) {
      if (message[0] === MESSAGE.terminate) continue;
      await this.ask(this.rewritten(message));
    }
    const answer = joined(this.pieces);
    this.pieces.forEach(freeBuffer);
    this.pieces = [];
    return answer;
  }

  /** Ends the client's transaction and gives the connection back. */
  async close(): Promise<void> {
    const { connection } = this;
    if (!connection || this.connectionError) return;
    this.giveBack();
    await new Promise<void>((resolve, reject) => {
      this.settle = { resolve, reject };
      connection.query('ROLLBACK');
    });
  }

  /** Called by `pg` when the connection is free. */
  submit(connection: Connection): void {
    this.connection = connection;
    [this.parser] = connection.stream.listeners('data') as SocketListener[];
    if (this.parser) connection.stream.off('data', this.parser);
    connection.stream.on('data', this.receive);
  }

  /** Called by `pg` after the ROLLBACK. */
  handleCommandComplete(): void {}

  /** Called by `pg` when the connection is its own again. */
  handleReadyForQuery(): void {
    this.settle?.resolve();
  }

  /** Called by `pg` when the connection is lost. */
  handleError(error: Error): void {
    this.giveBack();
    this.connectionError = error;
    this.settle?.reject(error);
  }

  private rewritten(message: Buffer): Buffer {
    if (message[0] !== MESSAGE.query) return message;
    const sql = this.rewrite(queryText(message));
    return sql === undefined ? message : queryMessage(sql);
  }

  private async ask(message: Buffer): Promise<void> {
    if (this.connectionError) throw this.connectionError;
    await new Promise<void>((resolve, reject) => {
      this.settle = { resolve, reject };
      this.connection?.stream.write(message);
    });
  }

  private read(data: Buffer): void {
    this.pieces.push(data);
    if (this.answers.track(data)) this.settle?.resolve();
  }

  private giveBack(): void {
    const { connection, parser } = this;
    if (!connection || !parser) return;
    this.parser = undefined;
    connection.stream.off('data', this.receive);
    connection.stream.on('data', parser);
  }
}

function joined(pieces: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
