import type { ClientBase } from 'pg';
import { estimateBloat } from './bloat';
import { type BoundedTask, mayMaintain, runBounded } from './bounded';
import type { ResultOf } from './contract';

/** Half of an index: below, the rebuild costs more writes than it saves reads. */
const REBUILD_PERCENT = 50;

type ReindexResult = ResultOf<'reindex'>;

/**
 * Rebuilds the bloated indexes beside those in use: reads and writes go on, and it gives way to a session that waits for the
 * table, such as an ALTER TABLE. What a rebuild that was killed left behind is
 * removed first; what this one leaves behind when its time is up, by the next.
 */
export async function rebuildIndexes(task: BoundedTask): Promise<ReindexResult> {
  const { client, dryRun } = task;
  const removed = await removeLeftovers(task);
  const rebuilt: ReindexResult['rebuilt'] = [];
  const skipped: ReindexResult['skipped'] = [];
  const bloated = (await estimateBloat(client)).filter(
    ({ kind, bloatPercent }) => kind === 'index' && bloatPercent >= REBUILD_PERCENT,
  );
  for (const { relation, bytes, bloatBytes } of bloated) {
    if (!(await isAllowed(client, relation))) {
      skipped.push({ relation, reason: 'the role may not maintain its table' });
    } else if (dryRun) {
      rebuilt.push({ index: relation, bytesBefore: bytes, bytesAfter: bytes - bloatBytes });
    } else {
      const refusal = await runBounded(task, `REINDEX INDEX CONCURRENTLY ${relation}`);
      if (refusal === undefined) {
        rebuilt.push({ index: relation, bytesBefore: bytes, bytesAfter: await sizeOf(client, relation) });
      } else skipped.push({ relation, reason: refusal });
    }
  }
  // A rebuild that gave way leaves one as well, which every write would maintain until somebody rebuilds again.
  if (!dryRun && skipped.length > 0) removed.push(...(await removeLeftovers(task)));
  return { removed, rebuilt, skipped };
}

/** Invalid indexes under the names that REINDEX CONCURRENTLY gives: `_ccnew` is unfinished, `_ccold` replaced. */
async function removeLeftovers(task: BoundedTask): Promise<string[]> {
  const { client, dryRun } = task;
  const { rows } = await client.query<{ index: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS index
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)\\d*$' AND ${await mayMaintain(client, 't')} ORDER BY 1`,
  );
  const removed: string[] = [];
  for (const { index } of rows) {
    const refusal = dryRun ? undefined : await runBounded(task, `DROP INDEX CONCURRENTLY IF EXISTS ${index}`);
    if (refusal === undefined) removed.push(index);
  }
  return removed;
}

async function isAllowed(client: ClientBase, index: string): Promise<boolean> {
  const { rows } = await client.query<{ allowed: boolean }>(
    `SELECT ${await mayMaintain(client, 't')} AS allowed FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
     WHERE i.indexrelid = $1::regclass`,
    [index],
  );
  return rows[0]?.allowed ?? false;
}

async function sizeOf(client: ClientBase, index: string): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>('SELECT pg_relation_size($1::regclass)::float8 AS bytes', [
    index,
  ]);
  return rows[0]?.bytes ?? 0;
}
