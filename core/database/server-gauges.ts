import type { ClientBase } from 'pg';

/** Bytes that all databases of the server occupy. */
export async function databaseSizeBytes(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    'SELECT sum(pg_database_size(oid)) AS bytes FROM pg_database WHERE datallowconn',
  );
  return Number(rows[0]?.bytes ?? 0);
}

/**
 * Share, in percent, of the connections that are not reserved for administrators. At 100 the next ordinary user is
 * refused, whatever `max_connections` says.
 */
export async function connectionsUsedPercent(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ percent: number }>(`
    SELECT (100.0 * (SELECT sum(numbackends) FROM pg_stat_database)
      / (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true), '0')::int))::float8 AS percent`);
  return rows[0]?.percent ?? 0;
}
