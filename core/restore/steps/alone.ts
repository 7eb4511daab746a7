import type { ClientBase } from 'pg';

const KEY = 'hashtextextended($1, 0)';

/*
 * Locks of a restore's calls, in the database of the connection. They go with it, however its call ends.
 */

/** @returns whether no other session has the lock */
export async function tryLock(client: ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query<{ free: boolean }>(`SELECT pg_try_advisory_lock(${KEY}) AS free`, [name]);
  return rows[0]?.free === true;
}

/** Waits until no other session has the lock. */
export async function waitForLock(client: ClientBase, name: string): Promise<void> {
  await client.query(`SELECT pg_advisory_lock(${KEY})`, [name]);
}

export async function unlock(client: ClientBase, name: string): Promise<void> {
  await client.query(`SELECT pg_advisory_unlock(${KEY})`, [name]);
}
