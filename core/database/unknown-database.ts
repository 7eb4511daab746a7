import { DatabaseError } from 'pg';
import { OperationError } from '../runtime/errors';
import { type DatabaseConnector, withConnection } from './connector';

/** Databases that a message names at most. */
const MAX_NAMED = 20;
/** SQLSTATE of a login to a database that the server does not have. */
const UNKNOWN_DATABASE = '3D000';

/**
 * The error of work with a database that a request names. Where the server has no database of that name, one that names the field and the
 * databases that the server has; any other error as it is.
 *
 * @param name what the field says; undefined where the request leaves it out
 */
export async function explainUnknownDatabase(
  cause: unknown,
  connector: DatabaseConnector,
  { field, name }: { readonly field: string; readonly name: string | undefined },
): Promise<unknown> {
  if (name === undefined || !isUnknownDatabase(cause)) return cause;
  const { host, port } = connector.target;
  const known = await databasesOf(connector).catch(() => []);
  const has = known.length === 0 ? 'check the name' : `it has ${known.join(', ')}`;
  return new OperationError('wrong_database', `${field}: ${host}:${port} has no database ${name}; ${has}`, { cause });
}

const isUnknownDatabase = (thrown: unknown): boolean =>
  thrown instanceof Error && thrown.cause instanceof DatabaseError && thrown.cause.code === UNKNOWN_DATABASE;

/** Those that the credentials may connect to, first those whose names begin like that of the configured one. */
async function databasesOf(connector: DatabaseConnector): Promise<string[]> {
  return withConnection(connector, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      `SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT')
       ORDER BY NOT starts_with(datname, current_database()), datname LIMIT $1`,
      [MAX_NAMED],
    );
    return rows.map(({ datname }) => datname);
  });
}
