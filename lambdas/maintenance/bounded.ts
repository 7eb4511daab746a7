import { type ClientBase, DatabaseError } from 'pg';
import { isLockTimeout } from '../../core/database/lock-timeout';

/** SQLSTATE `query_canceled`: the statement took longer than it was given. */
const QUERY_CANCELED = '57014';
/** Less is not worth a start. */
const LEAST_MS = 1_000;
/** A rebuild waits for transactions that are open; it holds no lock meanwhile that a reader or a writer waits for. */
const LOCK_TIMEOUT_MS = 30_000;

/**
 * Runs one statement outside of a transaction, for no longer than is left.
 *
 * @param remainingMs milliseconds that are left
 * @returns why it was given up: no time, or a lock of another session; `undefined` when it is done
 */
export async function runBounded(
  client: ClientBase,
  statement: string,
  remainingMs: () => number,
): Promise<string | undefined> {
  const left = Math.floor(remainingMs());
  if (left < LEAST_MS) return 'no time left';
  await client.query(`SET statement_timeout = ${left}; SET lock_timeout = ${Math.min(left, LOCK_TIMEOUT_MS)}`);
  try {
    await client.query(statement);
    return undefined;
  } catch (error) {
    if (isLockTimeout(error)) return 'another session held a lock';
    if (error instanceof DatabaseError && error.code === QUERY_CANCELED) return 'no time left';
    throw error;
  } finally {
    await client.query('SET statement_timeout = 0; SET lock_timeout = 0').catch(() => undefined);
  }
}

/**
 * SQL that is true where the role may vacuum and rebuild what belongs to a table: as its owner, or by MAINTAIN, which
 * PostgreSQL has since 17.
 *
 * @param table alias of `pg_class`
 */
export async function mayMaintain(client: ClientBase, table: string): Promise<string> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const owns = `pg_has_role(${table}.relowner, 'USAGE')`;
  return (rows[0]?.version ?? 0) >= 170_000 ? `(${owns} OR has_table_privilege(${table}.oid, 'MAINTAIN'))` : owns;
}
