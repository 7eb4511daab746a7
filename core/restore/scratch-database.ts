import { type ClientBase, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import type { Manifest } from '../archive/manifest';
import { type DatabaseConnector, withConnection } from '../database/connector';
import { InvalidRequestError, OperationError } from '../runtime/errors';

/** Exists on every server, also when the live database does not any more. */
export const MAINTENANCE_DATABASE = 'postgres';
const DUPLICATE_DATABASE = '42P04';
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
  if (name === connector.target.database) {
    throw new InvalidRequestError(
      `targetDatabase: ${name} is the live database, and a restore never overwrites: name a new one`,
    );
  }
  const exists = await withConnection(
    connector,
    async (client) => (await client.query('SELECT FROM pg_database WHERE datname = $1', [name])).rowCount !== 0,
    MAINTENANCE_DATABASE,
  );
  if (exists) throw targetExists(name);
}

/** Creates the database empty, sorting and comparing text as the archive's source did. */
export async function createDatabase(
  connector: DatabaseConnector,
  name: string,
  server: Manifest['server'],
): Promise<void> {
  const locale = server.locale === null ? '' : escapeLiteral(server.locale);
  const provider = {
    libc: '',
    icu: `LOCALE_PROVIDER icu ICU_LOCALE ${locale}`,
    builtin: `LOCALE_PROVIDER builtin BUILTIN_LOCALE ${locale}`,
  }[server.localeProvider];
  const statement = `CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0 ENCODING ${escapeLiteral(server.encoding)}
    LC_COLLATE ${escapeLiteral(server.collate)} LC_CTYPE ${escapeLiteral(server.ctype)} ${provider}`;
  await administer(connector, async (client) => {
    await client.query(statement).catch((cause: unknown) => {
      // Somebody was faster than our check: theirs stays.
      if (cause instanceof DatabaseError && cause.code === DUPLICATE_DATABASE) throw targetExists(name);
      throw cause;
    });
  });
}

/** Removes a database that a restore made, whoever is connected to it. */
export async function dropDatabase(connector: DatabaseConnector, name: string): Promise<void> {
  await administer(connector, (client) =>
    client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`),
  );
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
