import { type ClientBase, DatabaseError } from 'pg';
import { listRoots } from '../archive/catalog';
import { columnList, qualified } from '../archive/copy-session';
import { PASSING_STATES } from '../database/passing-states';
import { runConcurrently } from '../runtime/run-concurrently';
import type { Deviations } from '../schema/apply/deviations';

/** Buckets of a column's statistics, instead of 100; what the second stage of `vacuumdb --analyze-in-stages` collects. */
const COARSE_STATISTICS = 10;
const PASSING = new RegExp(PASSING_STATES);

/**
 * Collects statistics of every table, without which PostgreSQL would plan the first queries after a cut-over blindly:
 * coarse ones where autovacuum collects finer ones within a minute. Columns are named because PostgreSQL then still
 * counts the loaded rows as changes since the last analysis, which is what makes autovacuum analyse the table again; the
 * fine statistics take ten times as long. Tables of a few rows have no finer statistics.
 *
 * @param deviations takes a table of which none can be collected, such as one whose extended statistics call a function that
 * does not qualify its names
 */
export async function collectStatistics(
  client: ClientBase,
  writers: readonly ClientBase[],
  deviations: Deviations,
): Promise<void> {
  await runConcurrently(await listRoots(client), writers, async (table, writer) => {
    const isCoarse = table.isRefined && table.columns.length > 0;
    const analyze = writer.query(
      isCoarse
        ? `SET default_statistics_target = ${COARSE_STATISTICS}; ANALYZE ${qualified(table)} (${columnList(table.columns)})`
        : `RESET default_statistics_target; ANALYZE ${qualified(table)}`,
    );
    await analyze.catch((error: unknown) => {
      if (!(error instanceof DatabaseError) || PASSING.test(error.code ?? '')) throw error;
      deviations.add(`TABLE ${table.schema}.${table.name}`, 'restored without statistics for the planner', error);
    });
  });
}
