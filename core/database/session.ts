import type { ClientBase } from 'pg';

/**
 * Settings that end a session or a statement after some time. A database or a role may set any of them for everybody who
 * connects; work on a whole schema outlasts them. Which of them a server has depends on its version.
 */
const TIMEOUTS = [
  'statement_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
];

/**
 * Lifts every timeout of the session, except for locks, and a default that forbids writing.
 *
 * @param lockTimeoutMs how long a statement waits for a lock; 0 waits for ever. The first statement of this function
 * takes none but those on system catalogs.
 */
export async function prepareSession(client: ClientBase, lockTimeoutMs: number): Promise<void> {
  await client.query(
    `SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
     FROM jsonb_each_text($1) AS wanted (name, value) JOIN pg_catalog.pg_settings s ON s.name = wanted.name`,
    [
      JSON.stringify({
        ...Object.fromEntries(TIMEOUTS.map((name) => [name, '0'])),
        lock_timeout: `${lockTimeoutMs}ms`,
        default_transaction_read_only: 'off',
      }),
    ],
  );
}
