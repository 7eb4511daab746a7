import type { ClientBase } from 'pg';

const IS_WAITED_FOR = `
  SELECT EXISTS (
    SELECT FROM pg_locks w
    WHERE NOT w.granted AND w.waitstart < clock_timestamp() - $1 * interval '1 ms'
      AND coalesce($2, pg_backend_pid()) = ANY (pg_blocking_pids(w.pid))) AS waits`;

/**
 * Whether another session has been waiting for a lock of a session for some time. Each look costs the server a millisecond.
 *
 * @param session process id of the session that holds the lock; @default the one that asks
 */
export async function isWaitedFor(client: ClientBase, patienceMs: number, session?: number): Promise<boolean> {
  const { rows } = await client.query<{ waits: boolean }>(IS_WAITED_FOR, [patienceMs, session ?? null]);
  return rows[0]?.waits ?? false;
}
