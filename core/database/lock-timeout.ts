import { type ClientBase, DatabaseError } from 'pg';
import { messageOf, OperationError } from '../runtime/errors';

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

/**
 * The error of work that gave up waiting for a lock of another session, as one that may be retried; others as they are.
 *
 * @param client to look up who may hold the lock, once what it has of a transaction is rolled back; without it, the message names no session
 */
export async function explainLockTimeout(cause: unknown, client?: ClientBase): Promise<unknown> {
  if (!isLockTimeout(cause)) return cause;
  const blockers = await client
    ?.query('ROLLBACK')
    .then(() => describeBlockers(client))
    // The connection may have been lost since: what failed is known without the names.
    .catch(() => undefined);
  const named = blockers === undefined ? '' : `; ${blockers}`;
  return new OperationError(
    'database_busy',
    `Another session kept a lock for too long (${messageOf(cause)})${named}. Let it finish, or end it ("ops queries <database>" shows what it does), and repeat the request`,
    { cause },
  );
}
