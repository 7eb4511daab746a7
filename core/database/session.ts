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
 * Settings by which values and statements are spelled, as a server has them of its own. A role or a database may set others
 * for everybody who connects, under which an amount or a date is misread, an array loses its NULLs, or nothing may be
 * written.
 */
const SPELLING = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  transform_null_equals: 'off',
  check_function_bodies: 'on',
  row_security: 'on',
  search_path: '"$user", public',
  default_tablespace: '',
  default_table_access_method: 'heap',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
};

/**
 * Sets off what role and database set for their sessions: every timeout, except for locks, and what decides how values are
 * spelled and whether anything may be written.
 *
 * @param lockTimeoutMs how long a statement waits for a lock; 0 waits for ever. The first statement of this function
 * takes none but those on system catalogs.
 */
export async function prepareSession(client: ClientBase, lockTimeoutMs: number): Promise<void> {
  await client.query(
    `SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
     FROM pg_catalog.jsonb_each_text($1::pg_catalog.jsonb) AS wanted (name, value) JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) wanted.name`,
    [
      JSON.stringify({
        ...Object.fromEntries(TIMEOUTS.map((name) => [name, '0'])),
        lock_timeout: `${lockTimeoutMs}ms`,
        ...SPELLING,
      }),
    ],
  );
}
