import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { describeBlockers, isLockTimeout } from '../../core/database/lock-timeout';
import { OperationError } from '../../core/runtime/errors';

/**
 * How long a statement that locks a table waits for the transactions that use it, and how often. While it waits, writes queue
 * behind it; the processor gives up after 2 s and would defer its events.
 */
export const LOCK_TIMEOUT_MS = 1_500;
export const ATTEMPTS = 8;
export const BETWEEN_MS = 1_000;

/** Deadlock, and a statement that took longer than its timeout. */
const BUSY = new Set(['40P01', '57014']);

/** Whether a statement ended for locks that other transactions hold. */
export function isBusy(error: unknown): boolean {
  return isLockTimeout(error) || BUSY.has((error as { readonly code?: string }).code ?? '');
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
