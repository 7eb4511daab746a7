import { type ClientBase, DatabaseError } from 'pg';

/** SQLSTATE class of a page or value that cannot be read: internal error, data corrupted, index corrupted. */
const CORRUPTION_CLASS = 'XX';
/** SQLSTATE of a statement that exceeded `statement_timeout`. */
const QUERY_CANCELED = '57014';
/** `statement_timeout` is a 32-bit number of milliseconds. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** Whether PostgreSQL could not read a page, a value or an index. */
export function isCorruption(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.code?.startsWith(CORRUPTION_CLASS) === true;
}

/** Whether PostgreSQL ended a statement at the limit of {@link limitStatements}. */
export function isStatementTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === QUERY_CANCELED;
}

/** Limits the duration of each following statement of a connection; at least a millisecond, because 0 means no limit. */
export async function limitStatements(client: ClientBase, limitMs: number): Promise<void> {
  const timeoutMs = Math.min(Math.max(Math.floor(limitMs), 1), MAX_TIMEOUT_MS);
  await client.query(`SET statement_timeout = ${timeoutMs}`);
}
