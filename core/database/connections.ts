import type { Client } from 'pg';
import { type DatabaseConnector, explainConnectionLoss } from './connector';
import { explainLockTimeout } from './lock-timeout';

export interface ConnectionsOptions {
  readonly count: number;
  /** Another database on the same server. @default the target's */
  readonly database?: string;
  /** Prepares each connection, such as by settings of its session. */
  readonly prepare: (client: Client) => Promise<unknown>;
}

/**
 * Runs `work` with several connections to one database, all of which are ended whatever happens.
 *
 * @throws OperationError `database_unavailable` or `database_busy` (both retryable), or whatever `prepare` and `work` throw
 */
export async function withConnections<T>(
  connector: DatabaseConnector,
  { count, database, prepare }: ConnectionsOptions,
  work: (clients: readonly Client[]) => Promise<T>,
): Promise<T> {
  const clients: Client[] = [];
  try {
    while (clients.length < count) {
      const client = await connector.connect(database);
      clients.push(client);
      await prepare(client);
    }
    return await work(clients);
  } catch (error) {
    throw explainConnectionLoss(await explainLockTimeout(error));
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
}
