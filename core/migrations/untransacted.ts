import { type ClientBase, escapeIdentifier } from 'pg';
import { OperationError, messageOf } from '../runtime/errors';
import { type MigrationPart, shorten } from './parts';

const CREATE_INDEX =
  /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS ("(?:[^"]|"")+"|[^\s"]+) ON (?:ONLY )?((?:"(?:[^"]|"")+"|[^\s"(])+)/i;

/**
 * Runs the statements of a part that PostgreSQL refuses in a transaction, one by one. Run again after a failure, it
 * continues: what was done is found done, and an index whose build was cut off is dropped and built anew.
 *
 * @throws OperationError `migration_failed`, naming the statement
 */
export async function runUntransacted(client: ClientBase, name: string, { statements }: MigrationPart): Promise<void> {
  // These statements let readers and writers through while they wait, so they may wait.
  const { rows } = await client.query<{ timeout: string }>(`SELECT current_setting('lock_timeout') AS timeout`);
  await client.query('SET lock_timeout = 0');
  try {
    for (const [index, statement] of statements.entries()) {
      try {
        await dropInvalidIndex(client, statement);
        await client.query(statement);
      } catch (cause) {
        throw new OperationError(
          'migration_failed',
          `Migration ${name} failed at statement ${index + 1} of ${statements.length}, "${shorten(statement)}"; the ones before it stay done, and applying again continues there: ${messageOf(cause)}`,
          { cause },
        );
      }
    }
  } finally {
    await client.query(`SET lock_timeout = '${rows[0]?.timeout ?? '0'}'`).catch(() => undefined);
  }
}

/** `IF NOT EXISTS` would take the remains of an interrupted build for the index. */
async function dropInvalidIndex(client: ClientBase, statement: string): Promise<void> {
  const [, index, table] = CREATE_INDEX.exec(statement) ?? [];
  if (index === undefined || table === undefined) return;
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
     FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT x.indisvalid AND x.indrelid = to_regclass($1) AND c.relname = (parse_ident($2))[1]`,
    [table, index],
  );
  for (const { schema, name } of rows) {
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${escapeIdentifier(schema)}.${escapeIdentifier(name)}`);
  }
}
