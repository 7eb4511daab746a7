import { OperationError } from '../../core/runtime/errors';
import type { ProgressReport } from './contract';
import { outOfOrder } from './record';
import { awaitBeat, BACK, beat, FORWARD, slotBytes } from './replication';
import { connected, type Connected, withServers, type MoveDependencies } from './servers';
import { label, replicatedTables } from './tables';

/** How long a look at the progress waits for a row to arrive. */
const ARRIVAL_MS = 10_000;

/**
 * How much is copied, and how far the other server is behind: in bytes of log, and in the seconds that a row takes.
 *
 * @throws OperationError `move_out_of_order` before the copy and after the end
 */
export async function progressOf(dependencies: MoveDependencies): Promise<ProgressReport> {
  return withServers(dependencies, async (servers) => {
    const { move } = servers;
    if (move?.stage !== 'copying' && move?.stage !== 'cut-over') throw outOfOrder('catch-up', move, 'ops move copy');
    const [source, target] = [connected(servers.source), connected(servers.target)];
    const isBack = move.stage === 'cut-over';
    const tables = isBack ? [] : await copiedTables(source, target);
    const waiting = tables.filter(({ ready }) => !ready);
    const [from, to] = isBack ? [target, source] : [source, target];
    const side = isBack ? 'target' : 'source';
    const slot = await slotBytes(from, isBack ? BACK : FORWARD);
    const sum = (count: (table: (typeof tables)[number]) => number) =>
      tables.reduce((total, each) => total + count(each), 0);
    return {
      stage: move.stage,
      source: source.name,
      target: target.name,
      tables: waiting,
      tablesReady: tables.length - waiting.length,
      tablesAll: tables.length,
      rowsCopied: sum(({ copied }) => copied),
      rowsAll: sum(({ rows }) => rows),
      lagBytes: slot?.lag ?? null,
      lagSeconds:
        waiting.length === 0 && slot !== null
          ? (await awaitBeat(to, side, await beat(from.client, side), ARRIVAL_MS).catch(lateIsLong)) / 1000
          : null,
      retainedBytes: slot?.retained ?? null,
    };
  });
}

function lateIsLong(error: unknown): number {
  if (error instanceof OperationError && error.code === 'move_stuck') return ARRIVAL_MS;
  throw error;
}

/** Tables with the rows that they have, as the statistics say, and those that arrived. */
async function copiedTables(source: Connected, target: Connected): Promise<ProgressReport['tables']> {
  const states = await target.client.query<{ schema: string; name: string; ready: boolean; copied: number }>(
    `SELECT n.nspname AS schema, c.relname AS name, r.srsubstate = 'r' AS ready,
            coalesce(p.tuples_processed, 0)::float8 AS copied
     FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
       JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_stat_progress_copy p ON p.relid = c.oid AND p.datname = current_database()
     WHERE s.subname = $1`,
    [FORWARD],
  );
  const estimates = await source.client.query<{ oid: number; rows: number }>(
    `SELECT c.oid::int8::float8 AS oid, greatest(c.reltuples, s.n_live_tup, 0)::float8 AS rows
     FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid WHERE c.relkind = 'r'`,
  );
  const rowsOf = new Map(estimates.rows.map(({ oid, rows }) => [oid, rows]));
  const stateOf = new Map(states.rows.map((row) => [label(row), row]));
  return (await replicatedTables(source.client)).map((table) => {
    const state = stateOf.get(label(table));
    const rows = rowsOf.get(table.oid) ?? 0;
    const ready = state?.ready ?? false;
    return { table: label(table), rows, copied: ready ? rows : Math.min(rows, state?.copied ?? 0), ready };
  });
}
