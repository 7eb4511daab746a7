import { type Client, type ClientBase, DatabaseError } from 'pg';
import { qualified } from '../archive/copy-session';
import type { ArchivedTable } from '../archive/manifest';
import { runConcurrently } from '../runtime/run-concurrently';
import { explainLoadFailure } from './archive-errors';
import { loadPart } from './load-part';
import { isFrozen, LoadPlan, planLoads, type TableBuild, type TableLoad } from './load-plan';
import type { VerifiedObjects } from './verified-objects';

/**
 * Loads rows into empty tables without keys or triggers, and builds the keys of large ones as soon as their rows are there.
 *
 * A table that is truncated and loaded in one transaction is frozen: its rows are marked as visible to every transaction
 * when they are written. Otherwise their first reader, which is the first index, marks and writes all of them a second time. That
 * takes one connection for all parts of the table, so tables that are too large for that are loaded by all of them
 * instead.
 *
 * @throws OperationError `archive_damaged`, `archive_inconsistent`, `disk_full`; and, retryable, `store_unavailable`,
 * `database_unavailable`
 */
export async function loadTables(
  objects: VerifiedObjects,
  tables: readonly ArchivedTable[],
  writers: readonly Client[],
  builds: readonly TableBuild[] = [],
): Promise<void> {
  const plan = new LoadPlan(planLoads(tables, writers.length), builds);
  await runConcurrently(plan.steps(), writers, async (step, writer, signal) => {
    if ('load' in step) {
      await loadTable(objects, writer, step.load, signal);
      plan.markLoaded(step.load);
    } else {
      await step.build.build(writer);
      plan.markBuilt(step.build);
    }
  });
}

async function loadTable(
  objects: VerifiedObjects,
  writer: Client,
  load: TableLoad,
  signal: AbortSignal,
): Promise<void> {
  const { table, parts } = load;
  const freeze = isFrozen(load);
  // ONLY: each partition and child is listed itself.
  if (freeze) await writer.query(`BEGIN; TRUNCATE ONLY ${qualified(table)}`);
  for (const part of parts) await loadPart(objects, writer, table, part, { signal, freeze });
  if (freeze) await commitRows(writer, table);
}

export async function commitRows(writer: ClientBase, table: ArchivedTable): Promise<void> {
  await writer.query('COMMIT').catch((cause: unknown) => {
    if (!(cause instanceof DatabaseError)) throw cause;
    throw explainLoadFailure(cause, `the rows of ${table.schema}.${table.name}`);
  });
}
