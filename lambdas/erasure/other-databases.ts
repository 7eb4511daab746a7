import type { ClientBase } from 'pg';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import type { DatabaseName } from '../../core/contract';
import { isScratchName } from '../../core/restore/scratch-names';
import type { EraseReport } from './contract';

/** Of PostgreSQL and of providers; no restore makes them. */
const OF_SERVERS = ['postgres', 'rdsadmin', 'cloudsqladmin', 'azure_maintenance', 'azure_sys'];

/**
 * Databases beside the live ones on their servers, by name alone: a session in one would stand in the way of a restore that renames
 * it. An erasure does not reach them, and one that a restore made and kept still has the person. Databases that the platform drops itself are left out, and names
 * that no restore takes.
 *
 * @returns each as which of the two it was probably restored
 * @throws OperationError `database_unavailable` (retryable)
 */
export async function otherDatabases(
  connectors: Readonly<Record<DatabaseName, DatabaseConnector>>,
  billing: ClientBase,
): Promise<EraseReport['otherDatabases']> {
  const [own, main] = [connectors.billing.target, connectors.main.target];
  if (own.host === main.host && own.port === main.port) {
    const names = await othersThan(billing, [own.database, main.database]);
    // `app_billing_restored` begins like `app` as well: the longer name of the two is the one that was restored.
    const likely = (name: string): DatabaseName => {
      const isOfMain = name.startsWith(main.database);
      const isOfBilling = name.startsWith(own.database);
      return isOfMain && !(isOfBilling && own.database.length > main.database.length) ? 'main' : 'billing';
    };
    return names.map((name) => other(likely(name), name));
  }
  const ofMain = await withConnection(connectors.main, (client) => othersThan(client, [main.database]));
  return [
    ...(await othersThan(billing, [own.database])).map((name) => other('billing', name)),
    ...ofMain.map((name) => other('main', name)),
  ];
}

function other(database: DatabaseName, targetDatabase: string): EraseReport['otherDatabases'][number] {
  return { database, targetDatabase };
}

async function othersThan(client: ClientBase, live: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE NOT datistemplate AND datallowconn AND datname <> ALL ($1)
       AND datname ~ '^[a-z_][a-z0-9_]{0,62}$' ORDER BY datname`,
    [[...OF_SERVERS, ...live]],
  );
  return rows.map(({ name }) => name).filter((name) => live.every((database) => !isScratchName(database, name)));
}
