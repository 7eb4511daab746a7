import type { ClientBase } from 'pg';
import { estimateBloat } from './bloat';
import { mayMaintain, runBounded } from './bounded';
import type { ResultOf } from './contract';

/** Rows below which a table is left to autovacuum. */
const LEAST_ROWS = 1_000;
/** Autovacuum waits for a fifth, which is days of work in a large table. */
const DEAD_PERCENT = 5;
const CHANGED_PERCENT = 10;
/** Share of the age at which PostgreSQL forces a vacuum that cannot be put off, in percent. */
const AGE_PERCENT = 50;

type VacuumResult = ResultOf<'vacuum'>;

interface TableRow {
  readonly table: string;
  readonly reason: string;
  readonly allowed: boolean;
}

export interface BoundedTask {
  /** Look, but change nothing. */
  readonly dryRun: boolean;
  /** Milliseconds that are left. */
  readonly remainingMs: () => number;
}

/**
 * Vacuums and analyzes the tables that need it, the oldest and those with most dead rows first, and estimates the bloat that is
 * left. It neither waits for a table that another session has locked, nor cuts off free pages, for which readers would wait.
 */
export async function vacuumTables(client: ClientBase, { dryRun, remainingMs }: BoundedTask): Promise<VacuumResult> {
  const vacuumed: VacuumResult['vacuumed'] = [];
  const skipped: VacuumResult['skipped'] = [];
  for (const { table, reason, allowed } of await tablesInNeed(client)) {
    if (!allowed) {
      skipped.push({ relation: table, reason: `the role may not maintain it (${reason})` });
      continue;
    }
    const startedMs = performance.now();
    const refusal = dryRun
      ? undefined
      : await runBounded(client, `VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) ${table}`, remainingMs);
    if (refusal !== undefined) skipped.push({ relation: table, reason: `${refusal} (${reason})` });
    else vacuumed.push({ table, reason, durationMs: Math.round(performance.now() - startedMs) });
  }
  return { vacuumed, skipped, bloat: await estimateBloat(client) };
}

async function tablesInNeed(client: ClientBase): Promise<TableRow[]> {
  const allowed = await mayMaintain(client, 'c');
  const { rows } = await client.query<TableRow>(
    `SELECT format('%I.%I', s.schemaname, s.relname) AS table, ${allowed} AS allowed, reason
     FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
     CROSS JOIN LATERAL (SELECT CASE
       WHEN age(c.relfrozenxid) * 100.0 > $4 * current_setting('autovacuum_freeze_max_age')::float8
         THEN 'transaction ids ' || age(c.relfrozenxid) || ' old'
       WHEN s.n_dead_tup > $1 AND s.n_dead_tup * 100.0 > $2 * s.n_live_tup THEN s.n_dead_tup || ' dead rows'
       WHEN s.n_mod_since_analyze > $1 AND s.n_mod_since_analyze * 100.0 > $3 * s.n_live_tup
         THEN s.n_mod_since_analyze || ' rows changed since ANALYZE'
       WHEN c.reltuples < 0 AND pg_relation_size(c.oid) > 0 THEN 'never analyzed' END AS reason) AS need
     WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND reason IS NOT NULL
     ORDER BY age(c.relfrozenxid) * 100.0 > $4 * current_setting('autovacuum_freeze_max_age')::float8 DESC,
       s.n_dead_tup DESC, 1`,
    [LEAST_ROWS, DEAD_PERCENT, CHANGED_PERCENT, AGE_PERCENT],
  );
  return rows;
}
