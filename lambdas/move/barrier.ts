import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { describeBlockers, isLockTimeout } from '../../core/database/lock-timeout';
import { OperationError } from '../../core/runtime/errors';
import { type Connected, REPLICATOR } from './replication';
import { writtenTables } from './tables';

const TRIGGER = 'a_moved';
/**
 * How long the barrier waits for transactions that write, and how often. While it waits, writes queue behind it; the processor
 * gives up after 2 s and would defer its events.
 */
const LOCK_TIMEOUT_MS = 1_500;
const ATTEMPTS = 8;
const BETWEEN_MS = 1_000;
const DEADLOCK = '40P01';
/** Setting by which a server says to each new session that its transactions only read. */
const READ_ONLY = 'default_transaction_read_only';

/**
 * Refuses every write to a server, at one moment: nothing commits on this server after it. Replication still writes,
 * whose sessions fire no ordinary triggers. New sessions are told by `default_transaction_read_only`, which functions act on, and
 * the comment of the database tells people.
 *
 * @param why for the error and the comment, such as `moved to new.example.com:5432/billing`
 * @param onAttempt called before each attempt, from which on writes wait
 * @throws OperationError `database_busy` naming the transactions that did not end; nothing is refused then
 */
export async function refuseWrites(
  { client, connector }: Connected,
  why: string,
  onAttempt: () => Promise<void> = async () => undefined,
): Promise<void> {
  const database = escapeIdentifier(connector.target.database);
  const tables = await writtenTables(client);
  const statements = [
    `CREATE OR REPLACE FUNCTION operations.refuse_moved() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
     BEGIN
       RAISE EXCEPTION USING ERRCODE = '25006',
         MESSAGE = format('%s %s: this server takes no writes', current_database(), TG_ARGV[0]);
     END $body$`,
    ...tables.map(
      (table) =>
        `CREATE OR REPLACE TRIGGER ${TRIGGER} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table}
         FOR EACH STATEMENT EXECUTE FUNCTION operations.refuse_moved(${escapeLiteral(why)})`,
    ),
    `ALTER DATABASE ${database} SET ${READ_ONLY} = on`,
    ...(await rolesWithSetting(client)).map(
      (role) => `ALTER ROLE ${escapeIdentifier(role)} IN DATABASE ${database} SET ${READ_ONLY} = on`,
    ),
    commentOn(database, [`${why}${MARK}`, ...(await formerComment(client))].join(JOINT)),
  ];
  for (let attempt = 1; ; attempt += 1) {
    await onAttempt();
    await client.query('BEGIN');
    try {
      await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await client.query(`LOCK TABLE ${tables.join(', ')} IN SHARE ROW EXCLUSIVE MODE`);
      await client.query(statements.join(';\n'));
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      const busy = isLockTimeout(error) || (error as { readonly code?: string }).code === DEADLOCK;
      if (!busy) throw error;
      if (attempt === ATTEMPTS) {
        throw new OperationError(
          'database_busy',
          `Transactions that write did not end: ${await describeBlockers(client)}. No write was refused; repeat the step`,
          { cause: error },
        );
      }
    }
    await sleep(BETWEEN_MS);
  }
}

/** Roles whose own setting would hide that of the database: it is set for them in this database as well. */
async function rolesWithSetting(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ role: string }>(
    `SELECT r.rolname AS role FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
     WHERE s.setdatabase = 0 AND EXISTS (SELECT FROM unnest(s.setconfig) AS one WHERE one LIKE '${READ_ONLY}=%')
     ORDER BY 1`,
  );
  return rows.map(({ role }) => role);
}

/** Lets a server take writes again, as before {@link refuseWrites}. */
export async function admitWrites({ client, connector }: Connected): Promise<void> {
  const database = escapeIdentifier(connector.target.database);
  const { rows } = await client.query<{ role: string }>(
    `SELECT r.rolname AS role FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
     WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND EXISTS (SELECT FROM unnest(s.setconfig) AS one WHERE one LIKE '${READ_ONLY}=%')`,
  );
  await client.query(
    [
      'DROP FUNCTION IF EXISTS operations.refuse_moved() CASCADE',
      `ALTER DATABASE ${database} RESET ${READ_ONLY}`,
      ...rows.map(({ role }) => `ALTER ROLE ${escapeIdentifier(role)} IN DATABASE ${database} RESET ${READ_ONLY}`),
      commentOn(database, (await formerComment(client)).join(JOINT)),
    ].join(';\n'),
  );
}

/** What the comment of a database ends in that takes no writes. */
const MARK = ': this server takes no writes';
/** Between the mark and the comment that the database had. */
const JOINT = ' | ';

/** The comment of the database without the mark; empty where there is none. */
async function formerComment(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = current_database()`,
  );
  return (rows[0]?.comment ?? '').split(JOINT).filter((part) => part !== '' && !part.endsWith(MARK));
}

const commentOn = (database: string, comment: string): string =>
  `COMMENT ON DATABASE ${database} IS ${comment === '' ? 'NULL' : escapeLiteral(comment)}`;

const MADE_BY = 'made by ops move ';

/** Marks a database as made by a move, which alone may drop it again. */
export async function markAsMade(client: Client, database: string, id: string): Promise<void> {
  const others = (await formerComment(client)).filter((part) => !part.startsWith(MADE_BY));
  await client.query(commentOn(escapeIdentifier(database), [`${MADE_BY}${id}`, ...others].join(JOINT)));
}

/** Whether {@link markAsMade} marked the database of the connection. */
export async function isMadeBy(client: Client, id: string): Promise<boolean> {
  return (await formerComment(client)).includes(`${MADE_BY}${id}`);
}

/** Whether a server refuses writes. */
export async function isRefusing({ client }: Connected): Promise<boolean> {
  const { rows } = await client.query<{ refuses: boolean }>(
    `SELECT to_regprocedure('operations.refuse_moved()') IS NOT NULL AS refuses`,
  );
  return rows[0]?.refuses ?? false;
}

/**
 * Ends the sessions of a database but those of the move, so that functions connect anew, where they are told. One that cannot be
 * ended learns it from the first write that is refused.
 *
 * @returns how many were ended
 */
export async function endSessions({ client }: Connected): Promise<number> {
  const { rows } = await client.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
       AND usename <> $1 AND application_name <> 'move'`,
    [REPLICATOR],
  );
  let ended = 0;
  for (const { pid } of rows) {
    await client.query('SELECT pg_terminate_backend($1)', [pid]).then(
      () => (ended += 1),
      () => undefined,
    );
  }
  return ended;
}
