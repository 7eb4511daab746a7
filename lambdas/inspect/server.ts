import type { ClientBase } from 'pg';
import { normaliseSlot } from '../../core/archive/slot';
import type { DatabaseName } from '../../core/contract';
import { connectionsUsedPercent } from '../../core/database/server-gauges';
import type { InspectionReport } from './contract';

interface TableRow {
  readonly table: string;
  readonly bytes: number;
  readonly index_bytes: number;
  readonly rows: number;
  readonly dead_rows: number;
}

/** Tables of a database, the largest first, by the statistics that autovacuum keeps. */
export async function listTables(
  client: ClientBase,
  database: DatabaseName,
  limit: number,
): Promise<InspectionReport<'tables'>> {
  const size = await client.query<{ bytes: number }>('SELECT pg_database_size(current_database())::float8 AS bytes');
  const { rows } = await client.query<TableRow>(
    `SELECT schemaname || '.' || relname AS table, pg_total_relation_size(relid)::float8 AS bytes,
       pg_indexes_size(relid)::float8 AS index_bytes, n_live_tup::float8 AS rows, n_dead_tup::float8 AS dead_rows
     FROM pg_stat_user_tables ORDER BY bytes DESC, 1 LIMIT $1`,
    [limit],
  );
  return {
    action: 'tables',
    database,
    databaseBytes: size.rows[0]?.bytes ?? 0,
    tables: rows.map(({ index_bytes: indexBytes, dead_rows: deadRows, ...row }) => ({ ...row, indexBytes, deadRows })),
  };
}

interface GroupRow {
  readonly user: string | null;
  readonly application: string;
  readonly state: string | null;
  readonly sessions: number;
  readonly longest_seconds: number | null;
}

interface WaitingRow {
  readonly pid: number;
  readonly application: string;
  readonly blocked_by: number[];
  readonly seconds: number | null;
}

/** Sessions with a database, without the one that asks. */
export async function listSessions(client: ClientBase, database: DatabaseName): Promise<InspectionReport<'sessions'>> {
  const groups = await client.query<GroupRow>(
    `SELECT usename AS user, coalesce(application_name, '') AS application, state, count(*)::int AS sessions,
       extract(epoch FROM max(now() - state_change))::float8 AS longest_seconds
     FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
     GROUP BY usename, application_name, state ORDER BY sessions DESC, application`,
  );
  const waiting = await client.query<WaitingRow>(
    `SELECT pid, coalesce(application_name, '') AS application, pg_blocking_pids(pid) AS blocked_by,
       extract(epoch FROM now() - state_change)::float8 AS seconds
     FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0 ORDER BY 1`,
  );
  return {
    action: 'sessions',
    database,
    usedPercent: await connectionsUsedPercent(client),
    groups: groups.rows.map(({ longest_seconds: longestSeconds, ...row }) => ({ ...row, longestSeconds })),
    waiting: waiting.rows.map(({ blocked_by: blockedBy, ...row }) => ({ ...row, blockedBy })),
  };
}

interface DrillRow {
  readonly started_at: Date;
  readonly outcome: string;
  readonly archive_slot: Date | null;
  readonly row_count: number | null;
  readonly duration_ms: number | null;
  readonly target_ms: number;
  readonly error: string | null;
}

/** Drills of a database, the newest first. */
export async function listDrills(
  client: ClientBase,
  database: DatabaseName,
  limit: number,
): Promise<InspectionReport<'drills'>> {
  const { rows } = await client.query<DrillRow>(
    `SELECT started_at, outcome, archive_slot, row_count::float8 AS row_count, duration_ms::float8 AS duration_ms,
       target_ms::float8 AS target_ms, error
     FROM operations.drills ORDER BY started_at DESC LIMIT $1`,
    [limit],
  );
  const drills = rows.map((row) => ({
    startedAt: row.started_at.toISOString(),
    outcome: row.outcome,
    slot: row.archive_slot && normaliseSlot(row.archive_slot),
    rows: row.row_count,
    durationMs: row.duration_ms,
    targetMs: row.target_ms,
    error: row.error,
  }));
  return { action: 'drills', database, drills };
}
