import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { isWaitedFor } from '../../core/database/waited-for';

/**
 * Both together stay below `deadlock_timeout`, a second: a rebuild may wait for the very transaction that waits for it, and
 * PostgreSQL would then end the other one.
 */
const INTERVAL_MS = 250;
const PATIENCE_MS = 250;

/**
 * Runs a statement that is cancelled when another session waits for a lock of its session, as PostgreSQL does with an
 * autovacuum and with nothing that is run by hand.
 *
 * @param watcher another connection of the same user
 * @returns whether it was cancelled for another session
 * @throws what the statement threw, or why the locks could not be looked at
 */
export async function withYield(
  client: ClientBase,
  watcher: ClientBase,
  run: () => Promise<unknown>,
): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  const ended = new AbortController();
  const watch = async (): Promise<boolean> => {
    while (await passed(ended.signal)) {
      if (!(await isWaitedFor(watcher, PATIENCE_MS, pid)) || ended.signal.aborted) continue;
      await watcher.query('SELECT pg_cancel_backend($1)', [pid]);
      return true;
    }
    return false;
  };
  const watching = watch();
  // It is awaited below, once the statement has ended.
  watching.catch(() => undefined);
  let failure: { readonly error: unknown } | undefined;
  await run().catch((error: unknown) => {
    failure = { error };
  });
  ended.abort();
  const isCancelled = await watching;
  if (failure === undefined) return false;
  if (!isCancelled) throw failure.error;
  return true;
}

/** Waits for the next look. @returns whether there is one: false once the statement has ended */
async function passed(signal: AbortSignal): Promise<boolean> {
  return sleep(INTERVAL_MS, true, { signal, ref: false }).catch(() => false);
}
