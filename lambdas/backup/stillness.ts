import type { ClientBase } from 'pg';
import type { CapturedSchema } from '../../core/schema/contract';
import { compareSchemas } from '../../core/schema/compare';
import { OperationError } from '../../core/runtime/errors';

/**
 * What every write to a row of a table, and every new file of a table, changes. Not what PostgreSQL does by itself:
 * vacuum, analyze, checkpoints. A server that restarted may have lost counters, so its start belongs to it. One that
 * recovered from the crash of a session has lost them, and keeps its start: it resets the statistics of the whole server,
 * whose time any role may read.
 *
 * A session adds its counters before it disappears from the list of sessions: once it is gone, nothing is missing here.
 */
const FINGERPRINT = `
  SELECT md5(concat_ws('/', pg_postmaster_start_time(), (SELECT stats_reset FROM pg_stat_bgwriter),
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
    string_agg(concat_ws(':', c.oid, pg_relation_filenode(c.oid), pg_stat_get_tuples_inserted(c.oid),
      pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)), ',' ORDER BY c.oid))) AS fingerprint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
    AND (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' OR c.oid = 'pg_largeobject'::regclass)`;

/**
 * Whether writes are counted: by the server, and by sessions of any role, whose defaults this session has set off. What
 * a session sets for itself cannot be seen; that takes a superuser, or a role that was granted this setting.
 */
const COUNTING = `
  SELECT current_setting('track_counts') = 'on' AND NOT EXISTS (
    SELECT FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND CASE WHEN setting LIKE 'track_counts=%' THEN NOT split_part(setting, '=', 2)::boolean ELSE false END) AS counting`;

/** Sessions of others in this database. Those of the server itself, and of RDS, are no one's work. */
const OTHER_SESSIONS = `
  SELECT coalesce(nullif(application_name, ''), 'no application name') || ' of ' || usename AS session
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
    AND coalesce(backend_type, 'client backend') = 'client backend' AND usename <> 'rdsadmin'
    AND application_name <> current_setting('application_name')
  ORDER BY backend_start`;

/** Sessions in an error; there may be hundreds. */
const SHOWN = 3;

/**
 * Requires that no other session is connected to the database, and returns what shows later whether one wrote to it
 * meanwhile.
 *
 * @throws OperationError `database_in_use`, or `server_unsupported` when writes are not counted
 */
export async function observeStillness(client: ClientBase): Promise<string> {
  const { rows: counted } = await client.query<{ counting: boolean }>(COUNTING);
  if (!counted[0]?.counting) {
    throw new OperationError(
      'server_unsupported',
      'track_counts is off on the server, in the database or for a role, so nothing would show that a row was written meanwhile: set it on in the parameter group, by ALTER DATABASE or ALTER ROLE, then start the backup again',
    );
  }
  const others = await client.query<{ session: string }>(OTHER_SESSIONS);
  if (others.rows.length > 0) {
    const shown = others.rows.slice(0, SHOWN).map(({ session }) => session);
    throw new OperationError(
      'database_in_use',
      `${others.rows.length} other sessions use the database that is to stand still, such as ${shown.join(', ')}: it is archived part by part without a snapshot, so it has to be a copy that nothing else connects to`,
    );
  }
  const { rows } = await client.query<{ fingerprint: string }>(FINGERPRINT);
  return rows[0]?.fingerprint ?? '';
}

/**
 * Requires that a database is still what it was when it was first observed: what was copied in between is of one moment.
 *
 * @throws OperationError `database_changed`
 */
export function assertStoodStill(
  before: { readonly fingerprint: string; readonly schema: CapturedSchema },
  after: { readonly fingerprint: string; readonly schema: CapturedSchema },
): void {
  const changed = (what: string) =>
    new OperationError(
      'database_changed',
      `${what} while the database was archived part by part, so its parts are not of one moment and nothing was published: find out what wrote to the copy, such as a job of pg_cron, then start the backup again`,
    );
  if (before.fingerprint !== after.fingerprint) throw changed('Rows were written, or the server restarted or crashed,');
  const [difference] = compareSchemas(before.schema, after.schema);
  if (difference) throw changed(`The schema was changed (${difference.kind}: ${difference.object})`);
}
