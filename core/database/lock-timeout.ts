import { type ClientBase, DatabaseError } from 'pg';

/** SQLSTATE `lock_not_available`: a lock was not granted within `lock_timeout`, or at once with `NOWAIT` or `SKIP_LOCKED`. */
export const LOCK_NOT_AVAILABLE = '55P03';

/** Whether a statement gave up waiting for a lock of another session. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE;
}

/**
 * The sessions of this database whose transactions have been open longest, which are most likely to hold the lock, for the
 * message of an error: `open transactions: backup (process 4711) since 43 s`. The message has to say what to do about them.
 */
export async function describeBlockers(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ session: string }>(
    `SELECT format('%s (process %s) since %s s', coalesce(nullif(application_name, ''), usename), pid,
                   floor(extract(epoch FROM clock_timestamp() - xact_start))) AS session
     FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
     ORDER BY xact_start LIMIT 3`,
  );
  const sessions = rows.map(({ session }) => session).join(', ');
  return sessions === '' ? 'no other transaction that this role may see is open now' : `open transactions: ${sessions}`;
}
