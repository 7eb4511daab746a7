import { once } from 'node:events';
import { type Client, DatabaseError, escapeLiteral } from 'pg';
import { PASSING_STATES } from '../../database/passing-states';
import { tryLock, unlock } from './alone';
import { forgetStep, readStep, recordCaughtError, recordStep } from './journal';

/** How a statement stands that may take longer than a call. */
export type StatementState =
  | { readonly state: 'done' }
  /** The server works on it, for this call or for an earlier one. */
  | { readonly state: 'running' }
  | { readonly state: 'failed'; readonly code: string; readonly message: string };

/** It is not recorded, and the statement is tried again. */
const PASSING = `SQLSTATE ~ '${PASSING_STATES}'`;

/**
 * Runs statements to their end, however long that takes: the server completes and records them even when the call that
 * began them has ended or was killed, because it looks for its client only when it has something to send. A later call
 * finds them under way, or done.
 *
 * @param client connection for this alone; after `running` it can only be ended
 * @param step records them, and keeps two calls from running them at once
 * @param stop aborted when the call has to end
 * @throws DatabaseError of what passes by itself, such as a full disk
 */
export async function runToEnd(
  client: Client,
  step: string,
  statements: string,
  stop: AbortSignal,
): Promise<StatementState> {
  const lock = `${step} of a restore`;
  if (!(await tryLock(client, lock))) return { state: 'running' };
  const known = await readStep(client, step);
  if (!known && (await isLeft(client, step, statements, stop))) return { state: 'running' };
  await unlock(client, lock);
  const { code, message = '' } = known ?? (await readStep(client, step)) ?? {};
  if (code === undefined) return { state: 'done' };
  // The next call may find what is missing now.
  await forgetStep(client, step);
  return { state: 'failed', code, message };
}

/** @returns whether the server was left alone with it */
async function isLeft(client: Client, step: string, statements: string, stop: AbortSignal): Promise<boolean> {
  if (stop.aborted) return true;
  await client.query('SET client_connection_check_interval = 0');
  const working = client
    .query(
      `DO $long_statement$ BEGIN
         EXECUTE ${escapeLiteral(statements)};
         ${recordStep(step)};
       EXCEPTION WHEN OTHERS THEN
         IF ${PASSING} THEN RAISE; END IF;
         ${recordCaughtError(step)};
       END $long_statement$`,
    )
    .then(() => false);
  const leaving = new AbortController();
  const stopped = once(stop, 'abort', { signal: leaving.signal }).then(() => true);
  try {
    // Of the two, the loser's failure is of no interest.
    working.catch(() => undefined);
    stopped.catch(() => undefined);
    const left = await Promise.race([working, stopped]);
    // Without a word to the server: a message that ends the session would be read after the statement, which is fine as well.
    if (left) (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    return left;
  } finally {
    leaving.abort();
  }
}

/** The failure of a statement as its server reported it. */
export function asDatabaseError({ code, message }: Extract<StatementState, { state: 'failed' }>): DatabaseError {
  const error = new DatabaseError(message, message.length, 'error');
  error.code = code;
  return error;
}
