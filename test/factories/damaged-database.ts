import { open } from 'node:fs/promises';
import path from 'node:path';
import { asAdministrator, type TestDatabase } from '../support/database';

/**
 * Copies a database so that the first page of a table cannot be read. Ends the connections to the original, because it is
 * copied as files.
 */
export async function copyWithDamagedPage(
  database: TestDatabase,
  table: string,
): Promise<{ readonly name: string; readonly drop: () => Promise<void> }> {
  const name = `${database.name}_damaged`;
  const location = await asAdministrator(async (client) => {
    const found = await client.query<{ directory: string; file: string }>(
      `SELECT current_setting('data_directory') AS directory, pg_relation_filepath($1) AS file`,
      [table],
    );
    await client.query('CHECKPOINT');
    return found.rows[0];
  }, database.name);
  if (!location) throw new Error(`Table ${table} has no file`);
  // The header of the first page. The server still has the page in memory; the copy reads it from the file.
  const file = await open(path.join(location.directory, location.file), 'r+');
  await file.write(Buffer.alloc(12, 0xff), 0, 12, 8);
  await file.close();
  await asAdministrator(async (client) => {
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database.name]);
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${database.name} STRATEGY FILE_COPY`);
  });
  return {
    name,
    drop: () =>
      asAdministrator(async (client) => {
        await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      }),
  };
}
