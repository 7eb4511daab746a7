import { randomBytes } from 'node:crypto';
import type { Client, ClientBase } from 'pg';
import { applyCopySettings } from '../../core/archive/copy-session';
import { type DatabaseConnector, type DatabaseTarget, withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { assertHostBeside, rdsSuffixOf } from '../../core/database/rds-host';
import { explainUnknownDatabase } from '../../core/database/unknown-database';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { RestoredInstance } from './contract';

/** Where an instance answers. */
export type InstancePlace = Pick<DatabaseTarget, 'host' | 'port'>;

/**
 * Where a restored instance answers. The credentials of the live database are only ever sent to a host beside it: where it
 * runs on RDS, to an instance of the same account and region.
 *
 * @throws InvalidRequestError naming the field
 */
export function placeOf(
  live: Pick<DatabaseTarget, 'host' | 'port'>,
  { identifier, host, port = live.port }: RestoredInstance,
): InstancePlace {
  if (identifier !== undefined) {
    const suffix = rdsSuffixOf(live.host);
    if (suffix !== undefined) return { host: `${identifier}.${suffix}`, port };
    throw new InvalidRequestError(
      `instance.identifier: ${live.host}, by which functions reach the live database, is not the host that RDS gave an instance, but an alias, a proxy or another server: give instance.host`,
    );
  }
  if (host !== undefined) assertHostBeside(live.host, host, 'instance.host');
  return { host: host ?? live.host, port };
}

/** Server and database of an instance, for reports. */
export function instanceName({ host, port, database }: Omit<DatabaseTarget, 'name' | 'secretArn'>): string {
  return `${host}:${port}/${database}`;
}

/**
 * Runs `work` with a connection to a restored instance, which is only read, under the settings of COPY.
 *
 * @param live session of the live database
 * @throws OperationError `wrong_database` when it is the live database, a standby of it, or another one; or
 * `database_unavailable` (retryable)
 */
export async function withRestoredInstance<T>(
  connector: DatabaseConnector,
  targetDatabase: string,
  live: ClientBase,
  work: (source: Client) => Promise<T>,
): Promise<T> {
  return withConnection(
    connector,
    async (source) => {
      await applyCopySettings(source);
      await source.query('SET default_transaction_read_only = on');
      await assertIdentity(source, connector.target.name);
      await assertRestoredFrom(live, source, instanceName({ ...connector.target, database: targetDatabase }));
      return work(source);
    },
    targetDatabase,
  ).catch(async (error: unknown) => {
    throw await explainUnknownDatabase(error, connector, { field: 'instance.targetDatabase', name: targetDatabase });
  });
}

const STAMP = `SELECT to_char(stamped_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS stamp, pg_is_in_recovery() AS standby
  FROM operations.database_identity`;

/** Refuses a database that follows the live one, is the live one, or never was it. */
async function assertRestoredFrom(live: ClientBase, source: ClientBase, name: string): Promise<void> {
  const [of, from] = await Promise.all(
    [live, source].map((client) => client.query<{ stamp: string; standby: boolean }>(STAMP)),
  );
  const refuse = (reason: string) => new OperationError('wrong_database', `instance: ${name} ${reason}`);
  if (from?.rows[0]?.standby) {
    throw refuse('is a standby, which has lost the same rows: name an instance that was restored to a time before');
  }
  if (of?.rows[0]?.stamp !== from?.rows[0]?.stamp) {
    throw refuse(
      `was not restored from the live database: its identity is of ${from?.rows[0]?.stamp}, that of the live one of ${of?.rows[0]?.stamp}`,
    );
  }
  // A lock of the one session is seen by the other only in the same database of the same server, whatever its names.
  const key = randomBytes(4).readInt32BE();
  const taken = await live.query<{ taken: boolean }>('SELECT pg_try_advisory_lock(hashtext($1), $2) AS taken', [
    'row-recovery',
    key,
  ]);
  try {
    const free = await source.query<{ free: boolean }>('SELECT pg_try_advisory_lock(hashtext($1), $2) AS free', [
      'row-recovery',
      key,
    ]);
    if (taken.rows[0]?.taken && free.rows[0]?.free) return;
    throw refuse('is the live database itself: name an instance that was restored to a time before');
  } finally {
    await live.query('SELECT pg_advisory_unlock(hashtext($1), $2)', ['row-recovery', key]);
  }
}
