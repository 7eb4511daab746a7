import type { ClientBase } from 'pg';
import {
  StatementBurst,
  wireValues,
  type Statement,
  type StatementAnswer,
  type StatementCall,
} from './statement-burst';

export type { Statement } from './statement-burst';

/** Runs one statement in a transaction; returns the rows. */
export type RunStatement = <Row extends object = { id: string }>(
  statement: Statement,
  values: unknown[],
) => Promise<Row[]>;

/** Receives how long the statements took that were sent together, in milliseconds. */
export type RoundTripObserver = (durationMs: number) => void;

/**
 * Longest wait for one lock and longest run of one statement, in milliseconds. PostgreSQL cancels by itself, so that the
 * session of a function that was killed does not go on waiting.
 */
export interface TransactionLimits {
  readonly lockMs: number;
  readonly statementMs: number;
  /** A further setting for the transaction alone, made by the same statement. @default none */
  readonly setting?: { readonly name: string; readonly value: string };
}

export interface TransactionOptions {
  /** @default no observer */
  readonly observe?: RoundTripObserver;
  /** @default those of the server */
  readonly limits?: TransactionLimits;
  /** Rolls back also when `work` is done, as a dry run does. @default false */
  readonly rollBack?: boolean;
  /**
   * Sends what `work` sends first together with BEGIN; PostgreSQL skips it when BEGIN fails. `work` must then use nothing but
   * what it is given: a query by the client itself would overtake BEGIN.
   *
   * @default false
   */
  readonly withBegin?: boolean;
}

const BEGIN: Statement = { name: 'begin', text: 'BEGIN' };
const COMMIT: Statement = { name: 'commit', text: 'COMMIT' };
const ROLLBACK: Statement = { name: 'rollback', text: 'ROLLBACK' };
/** Local to the transaction, so that a proxy may hand the session to another client afterwards. */
const LIMIT: Statement = {
  name: 'limit_transaction',
  text: "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
};
const LIMIT_AND_SET: Statement = {
  name: 'limit_and_set_transaction',
  text: "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true), set_config($3, $4, true)",
};

/**
 * Runs `work` in a transaction of its own, which is committed when `work` is done and rolled back when it throws.
 *
 * Statements run in the order of the calls. Those that are called without awaiting one another are sent together, so that a
 * batch costs one round trip for each dependency and not for each statement; see {@link runSteps}. After one failed, no
 * further one runs.
 *
 * @param work is given what runs a statement, and what ends the transaction: called right behind its last statements, these
 * are committed in their round trip, unless one of them fails. Whatever fails later than that does not undo the transaction
 * @throws what `work` threw, or PostgreSQL's first error; nothing was committed then
 */
export async function inTransaction<T>(
  client: ClientBase,
  work: (run: RunStatement, commit: () => void) => Promise<T>,
  { observe = () => undefined, limits, rollBack = false, withBegin = false }: TransactionOptions = {},
): Promise<T> {
  const { call, run, abandon } = createRunner(client, observe);
  const limit = ({ lockMs, statementMs, setting }: TransactionLimits): Promise<StatementAnswer> => {
    const values = [String(lockMs), String(statementMs)];
    return setting === undefined ? call(LIMIT, values) : call(LIMIT_AND_SET, [...values, setting.name, setting.value]);
  };
  const begun = Promise.all([call(BEGIN, []), ...(limits === undefined ? [] : [limit(limits)])]);
  // It is awaited below. When `work` fails first, that error is thrown instead.
  begun.catch(() => undefined);
  let end: Promise<StatementAnswer> | undefined;
  const commit = (): Promise<StatementAnswer> => {
    end ??= call(rollBack ? ROLLBACK : COMMIT, []);
    end.catch(() => undefined);
    return end;
  };
  // Behind the COMMIT, a statement would run by itself.
  const runBeforeEnd: RunStatement = (statement, values) =>
    end === undefined
      ? run(statement, values)
      : Promise.reject(new Error(`${statement.name}: the transaction was ended before`));
  try {
    if (!withBegin) await begun;
    const result = await work(runBeforeEnd, () => void commit());
    await begun;
    const { tag } = await commit();
    // PostgreSQL answers the COMMIT of a failed transaction by rolling it back, without an error.
    if (!rollBack && tag !== 'COMMIT') throw new Error(`The transaction was not committed: ${tag}`);
    return result;
  } catch (error) {
    await abandon(error);
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Runs statements in the order of the calls, in the caller's transaction; one runner for each transaction. */
export function runInOrder(client: ClientBase): RunStatement {
  return createRunner(client, () => undefined).run;
}

/** One statement of a sequence that is written down as a list. */
export interface Step<Context> {
  readonly statement: Statement;
  /** The statement's values, made when its turn has come; `undefined` leaves it out. */
  readonly values: (context: Context) => unknown[] | undefined;
}

/**
 * Sends the statements together, in the order of the list.
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
  readonly call: (statement: Statement, values: readonly unknown[]) => Promise<StatementAnswer>;
  /** Refuses what was not sent yet, and resolves when what was sent is answered. */
  readonly abandon: (reason: unknown) => Promise<void>;
}

interface WaitingCall extends StatementCall {
  readonly resolve: (answer: StatementAnswer) => void;
  readonly reject: (reason: unknown) => void;
}

function createRunner(client: ClientBase, observe: RoundTripObserver): Runner {
  let failure: { readonly error: unknown } | undefined;
  let waiting: WaitingCall[] = [];
  let unanswered = false;
  let idle = (): void => undefined;

  function call(statement: Statement, values: readonly unknown[]): Promise<StatementAnswer> {
    return new Promise((resolve, reject) => {
      // A statement behind a failure would run on its own.
      if (failure !== undefined) throw failure.error;
      try {
        // Behind everything that is called in this turn of the event loop.
        if (waiting.push({ statement, values: wireValues(values), resolve, reject }) === 1) process.nextTick(send);
      } catch (error) {
        failure = { error };
        throw error;
      }
    });
  }

  function send(): void {
    // One after the other: what waits behind a failure must not be sent.
    if (unanswered || waiting.length === 0) return;
    const calls = waiting;
    waiting = [];
    if (failure !== undefined) {
      for (const { reject } of calls) reject(failure.error);
      return;
    }
    unanswered = true;
    const sentAt = performance.now();
    const burst = new StatementBurst(calls, (answers, error) => {
      unanswered = false;
      if (answers.length < calls.length) failure ??= { error };
      calls.forEach(({ resolve, reject }, index) => {
        const answer = answers[index];
        if (answer === undefined) reject(failure?.error);
        else resolve(answer);
      });
      idle();
      send();
      observe(performance.now() - sentAt);
    });
    client.query(burst);
  }

  return {
    call,
    async run<Row extends object>(statement: Statement, values: unknown[]): Promise<Row[]> {
      return (await call(statement, values)).rows as Row[];
    },
    async abandon(reason) {
      failure ??= { error: reason };
      if (unanswered) await new Promise<void>((resolve) => (idle = resolve));
    },
  };
}
