import type { ClientBase } from 'pg';

/** Schema of `pg_stat_statements`, escaped for SQL; undefined where the server does not count statements. */
export async function statementStatistics(client: ClientBase): Promise<string | undefined> {
  // Its view answers only where the server loads the library; that setting itself is for administrators. An extension that an
  // upgrade of the server left at its old version lacks columns.
  const { rows } = await client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements' AND EXISTS (
       SELECT FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
       WHERE c.relname = 'pg_stat_statements' AND c.relnamespace = e.extnamespace AND a.attname = 'toplevel')
     AND EXISTS (
       SELECT FROM pg_settings WHERE name = 'shared_preload_libraries' AND setting LIKE '%pg_stat_statements%')`,
  );
  const [row] = rows;
  return row && client.escapeIdentifier(row.schema);
}
