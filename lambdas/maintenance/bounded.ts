import { type ClientBase, DatabaseError } from 'pg';
import { isLockTimeout, LOCK_NOT_AVAILABLE } from '../../core/database/lock-timeout';
import { withYield } from './yield';

/** SQLSTATE `query_canceled`: the statement took longer than it was given, or gave way. */
const QUERY_CANCELED = '57014';
/** Less is not worth a start. */
const LEAST_MS = 1_000;
/** A rebuild waits for transactions that are open. */
const LOCK_TIMEOUT_MS = 30_000;

/** A session that does maintenance, and what it may take. */
export interface BoundedTask {
  readonly client: ClientBase;
  /** Another connection of the same user, which cancels a statement that others wait for. */
  readonly watcher: ClientBase;
  /** Look, but change nothing. */
  readonly dryRun: boolean;
  /** Milliseconds that are left. */
  readonly remainingMs: () => number;
}

/** Milliseconds that one of several statements may take at most. @default what is left */
export type Share = (leftMs: number) => number;

/**
 * Runs one statement outside of a transaction, for no longer than its share of what is left, and only while no other session
 * waits for its locks.
 *
 * @returns why it was given up; `undefined` when it is done
 */
export async function runBounded(
  { client, watcher, remainingMs }: Omit<BoundedTask, 'dryRun'>,
  statement: string,
  shareOf: Share = (leftMs) => leftMs,
): Promise<string | undefined> {
  const left = remainingMs();
  const limit = Math.floor(shareOf(left));
  if (limit < LEAST_MS) return 'no time left';
  await client.query(`SET statement_timeout = ${limit}; SET lock_timeout = ${Math.min(limit, LOCK_TIMEOUT_MS)}`);
  let isLocked = false;
  // With SKIP_LOCKED, a vacuum that did nothing succeeds, and only says so.
  const listen = ({ code }: { readonly code?: string | undefined }): void => {
    isLocked ||= code === LOCK_NOT_AVAILABLE;
  };
  client.on('notice', listen);
  try {
    const hasYielded = await withYield(client, watcher, () => client.query(statement));
    if (hasYielded) return 'another session waited';
    return isLocked ? 'another session held a lock' : undefined;
  } catch (error) {
    if (isLockTimeout(error)) return 'another session held a lock';
    if (!(error instanceof DatabaseError && error.code === QUERY_CANCELED)) throw error;
    return limit < Math.floor(left) ? `it took longer than ${limit / 1000} s` : 'no time left';
  } finally {
    client.off('notice', listen);
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
