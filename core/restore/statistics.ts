import type { ClientBase } from 'pg';
import { listRoots } from '../archive/catalog';
import { columnList, qualified } from '../archive/copy-session';
import { runConcurrently } from '../runtime/run-concurrently';

/** Buckets of a column's statistics, instead of 100; what the second stage of `vacuumdb --analyze-in-stages` collects. */
const COARSE_STATISTICS = 10;

/**
 * Collects statistics of every table, without which PostgreSQL would plan the first queries after a cut-over blindly:
 * coarse ones where autovacuum collects finer ones within a minute. Columns are named because PostgreSQL then still
 * counts the loaded rows as changes since the last analysis, which is what makes autovacuum analyse the table again; the
 * fine statistics take ten times as long. Tables of a few rows have no finer statistics.
 */
export async function collectStatistics(client: ClientBase, writers: readonly ClientBase[]): Promise<void> {
  await runConcurrently(await listRoots(client), writers, async (table, writer) => {
    const isCoarse = table.isRefined && table.columns.length > 0;
    await writer.query(
      isCoarse
        ? `SET default_statistics_target = ${COARSE_STATISTICS}; ANALYZE ${qualified(table)} (${columnList(table.columns)})`
        : `RESET default_statistics_target; ANALYZE ${qualified(table)}`,
    );
  });
}
