import { type Client, escapeIdentifier, escapeLiteral } from 'pg';
import { NO_WRITES } from '../../core/database/moved';
import { holdTables, lockBriefly } from './locks';
import { REPLICATOR } from './replication';
import { type Connected } from './servers';
import { writtenTables } from './tables';

const TRIGGER = 'a_moved';
/** Setting by which a server says to each new session that its transactions only read. */
const READ_ONLY = 'default_transaction_read_only';

/**
 * Refuses every write to a server, at one moment: nothing commits on this server after it. Replication still writes,
 * whose sessions fire no ordinary triggers. New sessions are told by `default_transaction_read_only`, which functions act on, and
 * the comment of the database tells people.
 *
 * @param why for the error and the comment, such as `moved to new.example.com:5432/billing`
 * @param onAttempt called before each attempt; writes wait from then on
 * @throws OperationError `database_busy` naming the transactions that did not end; nothing is refused then
 */
export async function refuseWrites(
  { client, connector }: Connected,
  why: string,
  onAttempt?: () => Promise<void>,
): Promise<void> {
  const database = escapeIdentifier(connector.target.database);
  const tables = await writtenTables(client);
  const statements = [
    refuseMoved(REFUSES),
    ...tables.map(
      (table) =>
        `CREATE OR REPLACE TRIGGER ${TRIGGER} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table}
         FOR EACH STATEMENT EXECUTE FUNCTION operations.refuse_moved(${escapeLiteral(why)})`,
    ),
    `ALTER DATABASE ${database} SET ${READ_ONLY} = on`,
    ...(await rolesWithSetting(client)).map(
      (role) => `ALTER ROLE ${escapeIdentifier(role)} IN DATABASE ${database} SET ${READ_ONLY} = on`,
    ),
    commentOn(database, [`${why}${NO_WRITES}`, ...(await formerComment(client))].join(JOINT)),
  ];
  await holdTables(
    client,
    { tables, mode: 'SHARE ROW EXCLUSIVE', unchanged: 'No write was refused', onAttempt },
    async () => void (await client.query(statements.join(';\n'))),
  );
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

/** What the triggers do while writes are refused, and from when they are taken again until {@link removeBarrier}. */
const REFUSES = `RAISE EXCEPTION USING ERRCODE = '25006',
         MESSAGE = format('%s %s${NO_WRITES}', current_database(), TG_ARGV[0])`;
const ADMITS = 'RETURN NULL';

const refuseMoved = (body: string): string =>
  `CREATE OR REPLACE FUNCTION operations.refuse_moved() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
     BEGIN
       ${body};
     END $body$`;

/**
 * Lets a server take writes again at once, and waits for no lock: the triggers stay, and do nothing until {@link removeBarrier}
 * drops them.
 */
export async function admitWrites({ client, connector }: Connected): Promise<void> {
  const database = escapeIdentifier(connector.target.database);
  const { rows } = await client.query<{ role: string }>(
    `SELECT r.rolname AS role FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
     WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND EXISTS (SELECT FROM unnest(s.setconfig) AS one WHERE one LIKE '${READ_ONLY}=%')`,
  );
  await client.query(
    [
      ...((await hasBarrier(client)) ? [refuseMoved(ADMITS)] : []),
      `ALTER DATABASE ${database} RESET ${READ_ONLY}`,
      ...rows.map(({ role }) => `ALTER ROLE ${escapeIdentifier(role)} IN DATABASE ${database} RESET ${READ_ONLY}`),
      commentOn(database, (await formerComment(client)).join(JOINT)),
    ].join(';\n'),
  );
}

async function hasBarrier(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ known: boolean }>(
    `SELECT to_regprocedure('operations.refuse_moved()') IS NOT NULL AS known`,
  );
  return rows[0]?.known ?? false;
}

/**
 * Drops the triggers of a server that takes writes again. Each needs its table for a moment, without any transaction that uses it.
 *
 * @param attempts to get the lock of each table
 * @throws OperationError `database_busy` naming the transactions that hold a table; triggers that are left do nothing
 */
export async function removeBarrier({ client }: Connected, attempts?: number): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT tgrelid::regclass::text AS name FROM pg_trigger
     WHERE tgfoid = to_regprocedure('operations.refuse_moved()') AND tgparentid = 0`,
  );
  await lockBriefly(
    client,
    rows.map(({ name }) => `DROP TRIGGER ${TRIGGER} ON ${name}`),
    attempts,
  );
  await client.query('DROP FUNCTION IF EXISTS operations.refuse_moved()');
}

/** Between the mark and the comment that the database had. */
const JOINT = ' | ';

/** The comment of the database without the mark; empty where there is none. */
async function formerComment(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = current_database()`,
  );
  return (rows[0]?.comment ?? '').split(JOINT).filter((part) => part !== '' && !part.endsWith(NO_WRITES));
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
    `SELECT EXISTS (SELECT FROM pg_proc
       WHERE oid = to_regprocedure('operations.refuse_moved()') AND prosrc LIKE '%RAISE EXCEPTION%') AS refuses`,
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
