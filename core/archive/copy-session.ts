import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import { prepareSession } from '../database/session';

/**
 * Settings that decide how COPY spells values. Fixed on both ends and recorded in the manifest, because the defaults
 * come from server, role and database, and a date or an amount that was written under one setting may be misread under
 * another.
 */
export const COPY_SETTINGS = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO, YMD',
  TimeZone: 'UTC',
  IntervalStyle: 'postgres',
  // Shortest text that reads back as the same floating-point number.
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  xmloption: 'content',
  // Names of types, relations and functions are written with their schema.
  search_path: 'pg_catalog',
  // A policy that would hide rows becomes an error: an archive without these rows would look complete.
  row_security: 'off',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
} as const;

/**
 * Prepares a connection for reading or writing COPY data.
 *
 * @param lockTimeoutMs how long a statement waits for a lock; 0 waits for ever. @default 0
 */
export async function applyCopySettings(client: ClientBase, lockTimeoutMs = 0): Promise<void> {
  // Before any other statement: a size already waits for the lock of its table.
  await prepareSession(client, lockTimeoutMs);
  const statements = Object.entries(COPY_SETTINGS).map(
    ([name, value]) => `SET ${name} = ${name === 'search_path' ? escapeIdentifier(value) : escapeLiteral(value)}`,
  );
  await client.query(statements.join(';'));
}

/** `"schema"."name"`, escaped. */
export function qualified(relation: { readonly schema: string; readonly name: string }): string {
  return `${escapeIdentifier(relation.schema)}.${escapeIdentifier(relation.name)}`;
}

export function columnList(columns: readonly string[]): string {
  return columns.map((column) => escapeIdentifier(column)).join(', ');
}
