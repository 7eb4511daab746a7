import type { ClientBase } from 'pg';
import type { DatabaseName } from '../../core/contract';
import { statementStatistics } from '../../core/database/statement-statistics';
import type { InspectionReport } from './contract';

type Report = InspectionReport<'queries'>;
type Slowest = NonNullable<Report['slowest']>[number];

/** Characters of a statement. */
const SHOWN = 300;

/** Statements that take long. The one that asks is left out. */
export async function listQueries(client: ClientBase, database: DatabaseName, limit: number): Promise<Report> {
  const schema = await statementStatistics(client);
  const slowest = schema === undefined ? null : await listSlowest(client, schema, limit);
  const since = schema === undefined ? null : await countedSince(client, schema);
  return { action: 'queries', database, since, slowest, running: await listRunning(client, limit) };
}

async function countedSince(client: ClientBase, schema: string): Promise<string | null> {
  const { rows } = await client.query<{ since: Date | null }>(
    `SELECT stats_reset AS since FROM ${schema}.pg_stat_statements_info`,
  );
  return rows[0]?.since?.toISOString() ?? null;
}

async function listSlowest(client: ClientBase, schema: string, limit: number): Promise<Slowest[]> {
  const { rows } = await client.query<Slowest>(
    `SELECT left(query, ${SHOWN}) AS statement, calls::float8 AS calls, total_exec_time AS "totalMs",
       mean_exec_time AS "meanMs", rows::float8 AS rows,
       CASE WHEN shared_blks_hit + shared_blks_read > 0
         THEN 100.0 * shared_blks_hit / (shared_blks_hit + shared_blks_read) END::float8 AS "cacheHitPercent"
     FROM ${schema}.pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY total_exec_time DESC LIMIT $1`,
    [limit],
  );
  return rows;
}

/** What runs, or keeps a transaction open, or blocks one that waits. */
async function listRunning(client: ClientBase, limit: number): Promise<Report['running']> {
  const { rows } = await client.query<Report['running'][number]>(
    `SELECT pid, usename AS "user", coalesce(application_name, '') AS application, coalesce(state, 'not visible') AS state,
       coalesce(extract(epoch FROM clock_timestamp() - query_start), 0)::float8 AS seconds,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS "transactionSeconds",
       wait_event_type || ': ' || wait_event AS "waitsFor", pg_blocking_pids(pid) AS "blockedBy",
       left(query, ${SHOWN}) AS statement
     FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
       AND (state <> 'idle' OR xact_start IS NOT NULL)
     ORDER BY xact_start LIMIT $1`,
    [limit],
  );
  return rows;
}
