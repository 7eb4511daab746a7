import type { Connection, FieldDef, Submittable } from 'pg';
import { types } from 'pg';
import { prepareValue } from 'pg/lib/utils';

/**
 * A statement that is prepared under its name: PostgreSQL parses and plans it once for a connection and not for every batch,
 * which took a third of the batch's time. It is prepared by the protocol; RDS Proxy pins a connection only for SQL's PREPARE.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface StatementCall {
  readonly statement: Statement;
  /** As the protocol carries them; see {@link wireValues}. */
  readonly values: readonly (string | Buffer | null)[];
}

/** PostgreSQL's answer to a statement. */
export interface StatementAnswer {
  readonly rows: object[];
  /** What was done, such as `INSERT 0 3`, or `ROLLBACK` for the COMMIT of a failed transaction. */
  readonly tag: string;
}

/** @throws TypeError when a value has no form in the protocol */
export function wireValues(values: readonly unknown[]): StatementCall['values'] {
  return values.map((value) => prepareValue(value));
}

/** What is known of a prepared statement: its text, and the columns of its rows. */
type Prepared = Map<string, { readonly text: string; readonly columns: readonly FieldDef[] }>;

interface Session {
  readonly prepared: Prepared;
  /** Names that may or may not be prepared: their statement failed the first time. Closing an unknown name is no error. */
  readonly doubtful: Set<string>;
}

const sessions = new WeakMap<Connection, Session>();

function sessionOf(connection: Connection): Session {
  const session = sessions.get(connection) ?? { prepared: new Map(), doubtful: new Set() };
  sessions.set(connection, session);
  return session;
}

type Send<Config> = (config: Config) => void;

/** What is used of the connection; the types of `pg` are those of its version 7. */
interface Messages {
  readonly parse: Send<{ name: string; text: string; types: [] }>;
  readonly bind: Send<{ statement: string; values: StatementCall['values'] }>;
  readonly describe: Send<{ type: 'P'; name: string }>;
  readonly execute: Send<{ portal: string; rows: number }>;
  readonly close: Send<{ type: 'S'; name: string }>;
}

/**
 * Statements that are sent in one message to the server, and answered in one: the extended query protocol with a single Sync
 * behind them, as JDBC's batches and libpq's pipelines are. After one fails, PostgreSQL skips those behind it. So a burst that
 * begins with BEGIN runs in that transaction or not at all, and a COMMIT at its end is reached only when all succeeded.
 *
 * A statement by itself costs both sides a message to the network each way, which was half of the work of a single event.
 */
export class StatementBurst implements Submittable {
  private readonly answers: StatementAnswer[] = [];
  private session: Session | undefined;
  private rows: object[] = [];
  private failure: unknown;
  private described: readonly FieldDef[] | undefined;

  /**
   * @param calls at least one
   * @param settle called once, with the answers of the statements that succeeded and the error of the one that did not
   */
  constructor(
    readonly calls: readonly StatementCall[],
    private readonly settle: (answers: readonly StatementAnswer[], error?: unknown) => void,
  ) {}

  /** Called by `pg` when the connection is free. @returns what is wrong with the statements; nothing was sent then */
  submit(connection: Connection): Error | null {
    const session = (this.session = sessionOf(connection));
    const texts = new Map<string, string>();
    for (const { name, text } of this.calls.map(({ statement }) => statement)) {
      const known = texts.get(name) ?? session.prepared.get(name)?.text ?? text;
      if (known !== text) return new TypeError(`${name}: two statements have this name`);
      texts.set(name, text);
    }
    this.send(connection, session);
    return null;
  }

  private send(connection: Connection, session: Session): void {
    const { stream } = connection;
    const send = connection as unknown as Messages;
    const parsed = new Set<string>();
    // One write, and with TLS one record.
    stream.cork();
    try {
      for (const { statement, values } of this.calls) {
        const { name, text } = statement;
        const isNew = !session.prepared.has(name) && !parsed.has(name);
        if (isNew) {
          if (session.doubtful.has(name)) send.close({ type: 'S', name });
          send.parse({ name, text, types: [] });
          parsed.add(name);
        }
        send.bind({ statement: name, values });
        if (isNew) send.describe({ type: 'P', name: '' });
        send.execute({ portal: '', rows: 0 });
      }
      connection.sync();
    } finally {
      stream.uncork();
    }
  }

  handleRowDescription({ fields }: { fields: FieldDef[] }): void {
    this.described = fields;
  }

  handleDataRow({ fields: values }: { fields: (string | null)[] }): void {
    const columns = this.described ?? this.session?.prepared.get(this.current?.name ?? '')?.columns ?? [];
    try {
      const entries = columns.map(({ name, dataTypeID }, index): [string, unknown] => {
        const value = values[index] ?? null;
        return [name, value === null ? null : (types.getTypeParser(dataTypeID, 'text')(value) as unknown)];
      });
      this.rows.push(Object.fromEntries(entries));
    } catch (error) {
      this.failure ??= error;
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { name = '', text: sent = '' } = this.current ?? {};
    const { prepared, doubtful } = this.session ?? {};
    if (prepared?.has(name) === false) prepared.set(name, { text: sent, columns: this.described ?? [] });
    doubtful?.delete(name);
    this.answers.push({ rows: this.rows, tag: text });
    this.rows = [];
    this.described = undefined;
  }

  /** PostgreSQL refused a statement, or the connection was lost. */
  handleError(error: unknown): void {
    const { name = '' } = this.current ?? {};
    if (this.session?.prepared.has(name) === false) this.session.doubtful.add(name);
    this.settle(this.answers, error);
  }

  handleReadyForQuery(): void {
    if (this.failure === undefined) this.settle(this.answers);
    else this.settle([], this.failure);
  }

  /** The statement whose answer is being received. */
  private get current(): Statement | undefined {
    return this.calls[this.answers.length]?.statement;
  }
}
