import { Client } from 'pg';
import { waitUntil } from '../pass/check';
import type { Cluster } from '../postgres/cluster';
import type { LocalDatabaseServer } from '../postgres/databases';
import { signal } from '../runtime/processes';

const RESTARTED_WITHIN_MS = 60_000;

/** Kills the server outright, and starts it again on what it had written. */
export async function killServer(cluster: Cluster): Promise<void> {
  signal(cluster.pid, 'SIGKILL');
  // Its children hold the shared memory a moment longer.
  await waitUntil(
    () =>
      cluster.restart().then(
        () => undefined,
        (error: Error) => error.message,
      ),
    RESTARTED_WITHIN_MS,
  );
}

/** Runs `work` while nobody can connect to the database, as when its host is away. */
export async function whileAway<T>(server: AwayDatabase, work: () => Promise<T>): Promise<T> {
  const administrate = async (sql: string): Promise<void> => {
    const url = new URL(server.url);
    url.pathname = '/postgres';
    const client = new Client({ connectionString: url.href });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await administrate(`ALTER DATABASE "${server.name}" ALLOW_CONNECTIONS false`);
  try {
    await administrate(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${server.name}'`);
    return await work();
  } finally {
    await administrate(`ALTER DATABASE "${server.name}" ALLOW_CONNECTIONS true`);
  }
}

/** Name and address of a database whose owner may shut it. */
export type AwayDatabase = Pick<LocalDatabaseServer, 'name' | 'url'>;
