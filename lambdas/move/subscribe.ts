import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { scramVerifier } from '../../core/access/scram';
import { CopyIn } from '../../core/restore/copy-in';
import { OperationError } from '../../core/runtime/errors';
import { type Direction, dropSlot, ensureReplicator, isSubscribed, nameSubscriber, REPLICATOR } from './replication';
import type { Connected } from './servers';

/** Gives the role of replication a new password. @returns it; it is kept in the subscription alone, which no other may use */
async function renewPassword({ client }: Connected): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  await client.query(`ALTER ROLE ${escapeIdentifier(REPLICATOR)} PASSWORD ${escapeLiteral(scramVerifier(password))}`);
  return password;
}

/**
 * Subscribes a server to the publication of the other, unless it is.
 *
 * `origin = none`: a change that came from a server is not sent back to it, so that both directions may run at the same time.
 *
 * @param copies whether the rows that are there already are copied first
 * @throws OperationError `move_not_ready` with PostgreSQL's words, such as that the other server cannot be reached
 */
export async function subscribe(from: Connected, to: Connected, direction: Direction, copies: boolean): Promise<void> {
  if (await isSubscribed(to, direction)) return;
  await dropSlot(from, direction);
  await ensureReplicator(from);
  const password = await renewPassword(from);
  const { host, port, database } = from.connector.target;
  const connection = [
    ['host', host],
    ['port', String(port)],
    ['dbname', database],
    ['user', REPLICATOR],
    ['password', password],
    // Encrypted. The certificates that a server of RDS trusts are no file that it may be told of.
    ['sslmode', 'require'],
  ]
    .map(([key, value = '']) => `${key}='${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`)
    .join(' ');
  try {
    await nameSubscriber(from, to, direction);
    // Here and not by CREATE SUBSCRIPTION, which makes a slot outside of functions only.
    await from.client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [direction]);
    await createSubscription(to.client, direction, connection, copies);
  } catch (cause) {
    const words = (cause as Error).message.replaceAll(password, '…');
    throw new OperationError(
      'move_not_ready',
      `${to.name} cannot subscribe to ${from.name}: ${words}. Correct that, then repeat the step`,
    );
  }
}

/** Holds the connection string for the length of a transaction. */
const CONNECTIONS = 'pg_temp.move_connection';

/** Settings by which a server writes down statements that run inside of others, each with the value by which it does not. */
const QUIET = [
  ['pgaudit.log', 'none'],
  ['pg_stat_statements.track', 'none'],
] as const;

/**
 * The statement needs the password in its text, which log, statistics and the list of sessions would show. It is sent as a row of
 * COPY, which none of them writes down, and put together in the server. What looks into statements of statements is set off for the
 * transaction where the administrator may: pgaudit, and `pg_stat_statements.track = all`.
 */
async function createSubscription(
  client: Client,
  direction: Direction,
  connection: string,
  copies: boolean,
): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const [name, value] of QUIET) await setIfAllowed(client, name, value);
    await client.query(`CREATE TEMPORARY TABLE move_connection (value text) ON COMMIT DROP`);
    const rows = new CopyIn(client, `COPY ${CONNECTIONS} FROM STDIN`);
    rows.end(`${connection.replaceAll('\\', '\\\\')}\n`);
    await once(rows, 'finish');
    // An error that is not caught here would be logged with the statement, as its context.
    await client.query(`DO $do$
      BEGIN
        EXECUTE format(
          'CREATE SUBSCRIPTION ${direction} CONNECTION %L PUBLICATION ${direction}
           WITH (copy_data = ${copies}, origin = none, create_slot = false, slot_name = %L, disable_on_error = false)',
          (SELECT value FROM ${CONNECTIONS}), '${direction}');
      EXCEPTION WHEN OTHERS THEN
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
      END $do$`);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Of a setting that the server does not know, or that the administrator may not change, nothing is set. */
async function setIfAllowed(client: Client, name: string, value: string): Promise<void> {
  await client.query('SAVEPOINT quiet');
  await client
    .query(`SET LOCAL ${name} = ${escapeLiteral(value)}`)
    .catch(() => client.query('ROLLBACK TO SAVEPOINT quiet'));
}
