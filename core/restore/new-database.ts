import { type ClientBase, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { Manifest } from '../archive/manifest';
import { type DatabaseConnector, withConnection } from '../database/connector';
import { isNameTaken } from '../database/duplicate';
import { InvalidRequestError, messageOf, OperationError } from '../runtime/errors';
import type { Log } from '../runtime/telemetry';
import { isScratchName } from './scratch-names';

/** Exists on every server, also where the live database was dropped. */
export const MAINTENANCE_DATABASE = 'postgres';
const INSUFFICIENT_PRIVILEGE = '42501';
const OBJECT_IN_USE = '55006';
/** Names that need no quoting in any tool that an operator may type them into. */
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * Refuses a target that is not a new database.
 *
 * @throws InvalidRequestError for a name that is the live database's or malformed
 * @throws OperationError `target_exists`
 */
export async function assertNewDatabase(connector: DatabaseConnector, name: string): Promise<void> {
  if (!NAME.test(name)) {
    throw new InvalidRequestError(
      'targetDatabase: expected lower-case letters, digits and `_`, at most 63, such as billing_restore_20261121',
    );
  }
  if (isScratchName(connector.target.database, name)) {
    throw new InvalidRequestError(
      `targetDatabase: ${name} is a name of the platform's own databases, which it drops again: choose another one`,
    );
  }
  if (name === connector.target.database) {
    throw new InvalidRequestError(
      `targetDatabase: ${name} is the live database, and a restore never overwrites: name a new one`,
    );
  }
  if (await databaseExists(connector, name)) throw targetExists(name);
}

export async function databaseExists(connector: DatabaseConnector, name: string): Promise<boolean> {
  return withConnection(
    connector,
    async (client) => (await client.query('SELECT FROM pg_database WHERE datname = $1', [name])).rowCount !== 0,
    MAINTENANCE_DATABASE,
  );
}

/** Creates the database empty, sorting and comparing text as the archive's source did. */
export async function createDatabase(
  connector: DatabaseConnector,
  name: string,
  server: Manifest['server'],
): Promise<void> {
  const locale = server.locale === null ? '' : escapeLiteral(server.locale);
  const rules = server.icuRules === undefined ? '' : ` ICU_RULES ${escapeLiteral(server.icuRules)}`;
  const provider = {
    // Unless it is named, it is the one that the target's own template has.
    libc: 'LOCALE_PROVIDER libc',
    icu: `LOCALE_PROVIDER icu ICU_LOCALE ${locale}${rules}`,
    builtin: `LOCALE_PROVIDER builtin BUILTIN_LOCALE ${locale}`,
  }[server.localeProvider];
  const statement = `CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0 ENCODING ${escapeLiteral(server.encoding)}
    LC_COLLATE ${escapeLiteral(server.collate)} LC_CTYPE ${escapeLiteral(server.ctype)} ${provider}`;
  await administer(connector, async (client) => {
    await client.query(statement).catch((cause: unknown) => {
      // Created by another session since it was checked: that one stays.
      if (isNameTaken(cause)) throw targetExists(name);
      throw cause;
    });
  });
}

/**
 * Gives a database its final name.
 *
 * @throws OperationError `target_exists` when the name was taken meanwhile; and, retryable, `database_unavailable` when
 * others are connected to the database
 */
export async function renameDatabase(connector: DatabaseConnector, name: string, finalName: string): Promise<void> {
  await administer(connector, async (client) => {
    const rename = `ALTER DATABASE ${escapeIdentifier(name)} RENAME TO ${escapeIdentifier(finalName)}`;
    await client.query(rename).catch((cause: unknown) => {
      if (isNameTaken(cause)) throw targetExists(finalName);
      if (cause instanceof DatabaseError && cause.code === OBJECT_IN_USE) {
        const message = `Database ${name} cannot get the name ${finalName} while others are connected to it: end their sessions`;
        throw new OperationError('database_unavailable', message, { cause });
      }
      throw cause;
    });
  });
}

/** Ends the sessions in a database of the platform's own, except those that the role may not end, such as the provider's. */
export async function endSessions(connector: DatabaseConnector, name: string): Promise<void> {
  const sessions = `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`;
  await administer(connector, async (client) => {
    for (const { pid } of (await client.query<{ pid: number }>(sessions, [name])).rows) {
      await client.query('SELECT pg_terminate_backend($1)', [pid]).catch((error: unknown) => {
        if (!(error instanceof DatabaseError && error.code === INSUFFICIENT_PRIVILEGE)) throw error;
      });
    }
  });
}

/** Drops a database that a restore created, and ends the sessions in it. */
export async function dropDatabase(connector: DatabaseConnector, name: string): Promise<void> {
  const drop = `DROP DATABASE IF EXISTS ${escapeIdentifier(name)}`;
  await administer(connector, (client) =>
    client.query(`${drop} WITH (FORCE)`).catch((error: unknown) => {
      // Autovacuum may be at work there, whose session only some roles may end. The plain form asks it to stop.
      if (error instanceof DatabaseError && error.code === INSUFFICIENT_PRIVILEGE) return client.query(drop);
      throw error;
    }),
  );
}

/** Drops a database whose restore failed, or that is no longer needed; a failure is logged, not thrown. */
export async function dropOrLog(connector: DatabaseConnector, name: string, log: Log): Promise<void> {
  await dropDatabase(connector, name).catch((error: unknown) => {
    log.error('A database that a restore created could not be dropped: drop it', {
      targetDatabase: name,
      error: messageOf(error),
    });
  });
}

async function administer(connector: DatabaseConnector, work: (client: ClientBase) => Promise<unknown>): Promise<void> {
  await withConnection(connector, work, MAINTENANCE_DATABASE);
}

function targetExists(name: string): OperationError {
  return new OperationError(
    'target_exists',
    `Database ${name} exists, and a restore never overwrites: name a new one, or drop that one yourself`,
  );
}
