import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { describeBlockers, isLockTimeout } from '../../core/database/lock-timeout';
import { OperationError } from '../../core/runtime/errors';

/**
 * How long a statement that locks a table waits for the transactions that use it, and how often. While it waits, writes queue
 * behind it; the processor gives up after 2 s and would defer its events.
 */
export const LOCK_TIMEOUT_MS = 1_500;
const ATTEMPTS = 8;
const BETWEEN_MS = 1_000;

/** Deadlock, and a statement that took longer than its timeout. */
const BUSY = new Set(['40P01', '57014']);

/** Whether a statement ended for locks that other transactions hold. */
function isBusy(error: unknown): boolean {
  return isLockTimeout(error) || BUSY.has((error as { readonly code?: string }).code ?? '');
}

/** Tables that are locked together, and what an operator reads where that fails. */
export interface HeldTables {
  /** Qualified names. */
  readonly tables: readonly string[];
  readonly mode: 'SHARE ROW EXCLUSIVE' | 'ACCESS EXCLUSIVE';
  /** What is as it was, for the error, such as `Nothing was changed`. */
  readonly unchanged: string;
  /** Called before each attempt; the application may wait from then on. @default - nothing */
  readonly onAttempt?: (() => Promise<void>) | undefined;
  /** @default - as often as a step may wait */
  readonly attempts?: number;
}

/**
 * Locks tables, all or none, and works in the same transaction. However many there are, one attempt waits for
 * {@link LOCK_TIMEOUT_MS} at most; between two attempts the application passes.
 *
 * @throws OperationError `database_busy` naming the transactions that hold a table; nothing is changed then
 */
export async function holdTables<T>(
  client: Client,
  { tables, mode, unchanged, onAttempt = async () => undefined, attempts = ATTEMPTS }: HeldTables,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    await onAttempt();
    await client.query('BEGIN');
    try {
      if (tables.length > 0) {
        // A lock's timeout counts for each table anew; the application waits for the first as long as all of them take.
        await client.query(`SET LOCAL statement_timeout = ${LOCK_TIMEOUT_MS}`);
        await client.query(`LOCK TABLE ${tables.join(', ')} IN ${mode} MODE`);
        await client.query('SET LOCAL statement_timeout = 0');
      }
      const result = await work();
      await client.query('COMMIT');
      return result;
    } catch (cause) {
      await client.query('ROLLBACK').catch(() => undefined);
      if (!isBusy(cause)) throw cause;
      if (attempt === attempts) {
        throw new OperationError(
          'database_busy',
          `Transactions did not end: ${await describeBlockers(client)}. ${unchanged}; repeat the step`,
          { cause },
        );
      }
    }
    await sleep(BETWEEN_MS);
  }
}

/**
 * Runs statements that each lock one table for a moment, one after the other. Between two attempts the application passes.
 *
 * @param attempts of each statement
 * @throws OperationError `database_busy` naming the transactions that hold a table; what was run before stays
 */
export async function lockBriefly(client: Client, statements: readonly string[], attempts = ATTEMPTS): Promise<void> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
  try {
    for (const statement of statements) await attemptStatement(client, statement, attempts);
  } finally {
    await client.query('RESET lock_timeout').catch(() => undefined);
  }
}

async function attemptStatement(client: Client, statement: string, attempts: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.query(statement);
      return;
    } catch (cause) {
      if (!isBusy(cause)) throw cause;
      if (attempt === attempts) {
        throw new OperationError(
          'database_busy',
          `"${statement}" waits for other transactions: ${await describeBlockers(client)}. Writes are taken as before; repeat the step`,
          { cause },
        );
      }
    }
    await sleep(BETWEEN_MS);
  }
}
