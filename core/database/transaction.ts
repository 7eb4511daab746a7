import type { ClientBase } from 'pg';

/**
 * A statement of the billing domain. It is prepared under its name, so that PostgreSQL parses and plans it once for a
 * connection and not for every batch, which took as long as a third of the batch. It is prepared by the protocol: RDS Proxy
 * pins a connection only when SQL's PREPARE is used.
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

/** Told the duration of every statement, in milliseconds. */
export type QueryObserver = (statement: string, durationMs: number) => void;

/**
 * Runs `work` in a transaction of its own, which is committed when `work` is done and rolled back when it throws.
 *
 * Statements run in the order in which they are given. Where the next one does not depend on the answer, `work` need not
 * wait for it: a connection that pipelines sends them together, and a batch costs as many round trips as it has questions,
 * not statements. After one failed, none is run any more.
 *
 * @throws what `work` threw, or what PostgreSQL refused first; nothing was committed then
 */
export async function inTransaction<T>(
  client: ClientBase,
  work: (run: RunStatement) => Promise<T>,
  observe: QueryObserver = () => undefined,
): Promise<T> {
  // Waited for: were it refused, what is on its way behind it would run, and commit, statement by statement.
  await client.query('BEGIN');
  const { run, abandon } = sequence(client, observe);
  try {
    const result = await work(run);
    // Of a transaction in which anything failed, PostgreSQL answers a commit by rolling it back, which is no error to it.
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error(`The transaction was not committed: ${command}`);
    return result;
  } catch (error) {
    await abandon(error);
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Runs statements in order, in a transaction of the caller's; one runner for each transaction. */
export function runInOrder(client: ClientBase): RunStatement {
  return sequence(client, () => undefined).run;
}

interface Sequence {
  readonly run: RunStatement;
  /** Refuses what has not been sent yet, and resolves when what was sent is answered. */
  readonly abandon: (reason: unknown) => Promise<void>;
}

function sequence(client: ClientBase, observe: QueryObserver): Sequence {
  const pipelined = 'pipeline' in client && client.pipeline === true;
  let previous: Promise<unknown> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  /** When the statement before was answered: until then, this one has only waited. */
  let answeredAt = 0;

  async function run<Row extends object>({ name, text }: Statement, values: unknown[]): Promise<Row[]> {
    const send = () => {
      // Behind a failure PostgreSQL refuses everything, but only until the rollback: what comes later would be on its own.
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
      // That of the first: those behind it are only told that the transaction is aborted.
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
