import type { ClientBase } from 'pg';

/**
 * A statement that is prepared under its name: PostgreSQL parses and plans it once for a connection and not for every batch,
 * which took a third of the batch's time. It is prepared by the protocol; RDS Proxy pins a connection only for SQL's PREPARE.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Runs one statement in a transaction; returns the rows. */
export type RunStatement = <Row extends object = { id: string }>(
  statement: Statement,
  values: unknown[],
) => Promise<Row[]>;

/** Receives the duration of every statement, in milliseconds. */
export type QueryObserver = (statement: string, durationMs: number) => void;

export interface TransactionOptions {
  /** @default no observer */
  readonly observe?: QueryObserver;
  /**
   * Longest wait for one lock and longest run of one statement, in milliseconds. PostgreSQL cancels by itself, so that the
   * session of a function that was killed does not go on waiting. @default those of the server
   */
  readonly limits?: { readonly lockMs: number; readonly statementMs: number };
  /** Rolls back also when `work` is done, as a dry run does. @default false */
  readonly rollBack?: boolean;
  /**
   * Sends what `work` sends first together with BEGIN, on a connection that pipelines. Every statement that is sent before
   * the first answer must contain {@link IN_TRANSACTION}: if BEGIN were refused, others would run, and commit, by themselves.
   *
   * @default false
   */
  readonly guarded?: boolean;
}

/**
 * Begins a transaction in which {@link IN_TRANSACTION} holds. A deferrable one differs from others in nothing but this
 * setting, unless it is serialisable and read-only.
 */
export const BEGIN = 'BEGIN DEFERRABLE';

/** The integer 1 in a transaction that was begun by {@link BEGIN}; a division by zero outside of one. */
export const IN_TRANSACTION = `(SELECT 1 / (current_setting('transaction_deferrable') = 'on')::integer)`;

/**
 * Runs `work` in a transaction of its own, which is committed when `work` is done and rolled back when it throws.
 *
 * Statements run in the order of the calls. Where the next one does not depend on the answer, `work` need not await it: a
 * connection that pipelines sends them together, so a batch costs one round trip for each dependency, not for each
 * statement; see {@link runSteps}. After one failed, no further one runs.
 *
 * @throws what `work` threw, or PostgreSQL's first error; nothing was committed then
 */
export async function inTransaction<T>(
  client: ClientBase,
  work: (run: RunStatement) => Promise<T>,
  { observe = () => undefined, limits, rollBack = false, guarded = false }: TransactionOptions = {},
): Promise<T> {
  const begun = client.query(limits === undefined ? BEGIN : `${BEGIN}; ${settingLimits(limits)}`);
  // Awaited: if it were refused, the statements sent behind it would run, and commit, one by one.
  if (!guarded || !isPipelining(client)) await begun;
  const { run, abandon } = createRunner(client, observe, begun);
  try {
    const result = await work(run);
    await begun;
    // PostgreSQL answers the COMMIT of a failed transaction by rolling it back, without an error.
    const { command } = await client.query(rollBack ? 'ROLLBACK' : 'COMMIT');
    if (!rollBack && command !== 'COMMIT') throw new Error(`The transaction was not committed: ${command}`);
    return result;
  } catch (error) {
    await abandon(error);
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Local to the transaction, so that a proxy may hand the session to another client afterwards. */
function settingLimits({ lockMs, statementMs }: NonNullable<TransactionOptions['limits']>): string {
  return `SET LOCAL lock_timeout = ${Math.trunc(lockMs)}; SET LOCAL statement_timeout = ${Math.trunc(statementMs)}`;
}

/** Runs statements in the order of the calls, in the caller's transaction; one runner for each transaction. */
export function runInOrder(client: ClientBase): RunStatement {
  return createRunner(client, () => undefined, Promise.resolve()).run;
}

/** One statement of a sequence that is written down as a list. */
export interface Step<Context> {
  readonly statement: Statement;
  /** The statement's values, made when its turn has come; `undefined` leaves it out. */
  readonly values: (context: Context) => unknown[] | undefined;
}

/**
 * Sends the statements in the order of the list, none of them waiting for an answer.
 *
 * @returns the rows of each step, in the same order; none for one that was left out
 */
export function runSteps<Context, Row extends object = { id: string }>(
  run: RunStatement,
  steps: readonly Step<Context>[],
  context: Context,
): Promise<Row[][]> {
  return Promise.all(
    // Runs up to `run`, and so sends, before the next step is looked at: nothing may be awaited in front of it.
    steps.map(async ({ statement, values }) => {
      const given = values(context);
      return given === undefined ? [] : run<Row>(statement, given);
    }),
  );
}

interface Runner {
  readonly run: RunStatement;
  /** Refuses what was not sent yet, and resolves when what was sent is answered. */
  readonly abandon: (reason: unknown) => Promise<void>;
}

function isPipelining(client: ClientBase): boolean {
  return 'pipeline' in client && client.pipeline === true;
}

/** @param begun answer to the BEGIN; when it is refused, that is the first failure */
function createRunner(client: ClientBase, observe: QueryObserver, begun: Promise<unknown>): Runner {
  const pipelined = isPipelining(client);
  let previous: Promise<unknown> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  begun.catch((error: unknown) => (failure ??= { error }));
  /** When the previous statement was answered: until then, this one has only waited. */
  let answeredAt = 0;

  async function run<Row extends object>({ name, text }: Statement, values: unknown[]): Promise<Row[]> {
    const send = () => {
      // PostgreSQL refuses everything behind a failure only until the rollback; later statements would run on their own.
      if (failure !== undefined) throw failure.error;
      return client.query<Row>({ name, text, values });
    };
    const sentAt = performance.now();
    const answer = pipelined ? send() : previous.then(send);
    previous = answer;
    try {
      return (await answer).rows;
    } catch (error) {
      failure ??= { error };
      // The first error is the cause; those behind it only say that the transaction is aborted.
      throw failure.error;
    } finally {
      const now = performance.now();
      observe(name, now - Math.max(sentAt, answeredAt));
      answeredAt = now;
    }
  }

  return {
    run,
    async abandon(reason) {
      failure ??= { error: reason };
      await previous.catch(() => undefined);
    },
  };
}
