import type { ClientBase } from 'pg';
import { type DatabaseConnector, withConnection } from '../../core/database/connector';
import { type IdentityRecord, readIdentityRecord } from '../../core/database/identity';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { isAnyScratchName } from '../../core/restore/scratch-names';
import type { EraseReport } from './contract';

/** Of PostgreSQL and of providers; no restore makes them. */
const OF_SERVERS = ['postgres', 'rdsadmin', 'cloudsqladmin', 'azure_maintenance', 'azure_sys'];

type Connectors = Readonly<Record<DatabaseName, DatabaseConnector>>;
type OtherDatabases = EraseReport['otherDatabases'];

/**
 * Databases beside the live ones on their servers that an erasure does not reach and that still may have the person: those that a
 * restore made and kept. A restored database has the identity record of the live one, stamped at the same moment; that of another
 * environment has its own, and is left out. One that cannot be read, or that has no such record but is named like a live one, is listed as not told
 * apart. Databases that the platform drops itself are left out without a session, which would stand in the way of the restore that
 * renames them.
 *
 * @returns each as which of the two it was restored
 * @throws OperationError `database_unavailable` (retryable)
 */
export async function otherDatabases(connectors: Connectors, billing: ClientBase): Promise<OtherDatabases> {
  const livesOn = (server: DatabaseName): string[] =>
    DATABASE_NAMES.map((name) => connectors[name].target)
      .filter(({ host, port }) => host === connectors[server].target.host && port === connectors[server].target.port)
      .map(({ database }) => database);
  const isShared = livesOn('billing').length === DATABASE_NAMES.length;
  const live: Record<DatabaseName, IdentityRecord | undefined> = {
    billing: await readIdentityRecord(billing),
    main: await withConnection(connectors.main, readIdentityRecord),
  };
  const found: OtherDatabases = [];
  for (const server of isShared ? (['billing'] as const) : DATABASE_NAMES) {
    const lives = livesOn(server);
    const names =
      server === 'billing'
        ? await othersThan(billing, lives)
        : await withConnection(connectors.main, (client) => othersThan(client, lives));
    for (const targetDatabase of names) {
      const likely = likelyOf(targetDatabase, connectors, isShared ? undefined : server);
      const kind = await kindOf(connectors[server], targetDatabase, live, likely !== undefined);
      if (kind === 'unknown') found.push({ targetDatabase, database: likely ?? server, toldApart: false });
      else if (kind !== undefined) found.push({ targetDatabase, database: kind, toldApart: true });
    }
  }
  return found;
}

/** Which of the live databases a name begins like. `app_billing_restored` begins like `app` as well: the longer name counts. */
function likelyOf(name: string, connectors: Connectors, server: DatabaseName | undefined): DatabaseName | undefined {
  return DATABASE_NAMES.filter((each) => server === undefined || each === server)
    .filter((each) => name.startsWith(connectors[each].target.database))
    .toSorted((one, other) => connectors[other].target.database.length - connectors[one].target.database.length)[0];
}

/** Of which live database another one is; `undefined` for none of them, such as one of another environment. */
async function kindOf(
  connector: DatabaseConnector,
  name: string,
  live: Readonly<Record<DatabaseName, IdentityRecord | undefined>>,
  isLikely: boolean,
): Promise<DatabaseName | 'unknown' | undefined> {
  let identity: IdentityRecord | undefined;
  try {
    identity = await withConnection(connector, readIdentityRecord, name);
  } catch {
    return 'unknown';
  }
  if (identity === undefined) return isLikely ? 'unknown' : undefined;
  const { name: database, stampedAt } = identity;
  return DATABASE_NAMES.find((each) => each === database && live[each]?.stampedAt === stampedAt);
}

async function othersThan(client: ClientBase, live: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE NOT datistemplate AND datallowconn AND datname <> ALL ($1)
       AND datname ~ '^[a-z_][a-z0-9_]{0,62}$' ORDER BY datname`,
    [[...OF_SERVERS, ...live]],
  );
  return rows.map(({ name }) => name).filter((name) => !isAnyScratchName(name));
}
