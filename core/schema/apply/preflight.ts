import type { ClientBase } from 'pg';
import { OperationError } from '../../runtime/errors';
import type { SchemaFacts } from '../contract';

/**
 * Refuses a server on which the schema cannot be made. Nothing is written.
 *
 * @param client connection to any database of the server
 * @throws OperationError `server_unsupported` for a server older than the source; `extension_missing` naming every
 * extension that the server does not have
 */
export async function assertRestorable(client: ClientBase, facts: SchemaFacts): Promise<void> {
  const server = await client.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS major`,
  );
  const major = server.rows[0]?.major ?? 0;
  if (major < facts.serverMajor) {
    throw new OperationError(
      'server_unsupported',
      `The archive is of PostgreSQL ${facts.serverMajor} and this server is ${major}: restore to version ${facts.serverMajor} or newer`,
    );
  }
  const available = await client.query<{ name: string }>('SELECT name FROM pg_available_extensions');
  const names = new Set(available.rows.map(({ name }) => name));
  const missing = facts.extensions.filter(({ name }) => !names.has(name));
  if (missing.length === 0) return;
  throw new OperationError(
    'extension_missing',
    `This server lacks ${missing.map(({ name, version }) => `${name} (${version})`).join(', ')}, which the archived database uses: install it, or restore to a server that has it`,
  );
}
