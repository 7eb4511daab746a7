import type { ClientBase } from 'pg';
import { estimateBloat } from './bloat';
import { type BoundedTask, mayMaintain, runBounded } from './bounded';
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

/**
 * Vacuums and analyzes the tables that need it, those with old transaction ids first and then the longest unvacuumed, and
 * estimates the bloat that is left. It neither waits for a table that another session has locked, nor cuts off free pages,
 * for which readers would wait; and it gives way to a session that waits for it.
 */
export async function vacuumTables(task: BoundedTask): Promise<VacuumResult> {
  const { client } = task;
  const vacuumed: VacuumResult['vacuumed'] = [];
  const skipped: VacuumResult['skipped'] = [];
  const tables = await tablesInNeed(client);
  const left = { tables: tables.filter(({ allowed }) => allowed).length };
  for (const { table, reason, allowed } of tables) {
    if (!allowed) {
      skipped.push({ relation: table, reason: `the role may not maintain it (${reason})` });
      continue;
    }
    left.tables -= 1;
    const startedMs = performance.now();
    const refusal = task.dryRun
      ? undefined
      : await runBounded(task, `VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) ${table}`, (leftMs) =>
          // A large table leaves half of the time to those after it.
          left.tables === 0 ? leftMs : leftMs / 2,
        );
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
       greatest(s.last_vacuum, s.last_autovacuum) NULLS FIRST, s.n_dead_tup DESC, 1`,
    [LEAST_ROWS, DEAD_PERCENT, CHANGED_PERCENT, AGE_PERCENT],
  );
  return rows;
}
