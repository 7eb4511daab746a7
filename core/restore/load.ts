import { type Client, type ClientBase, DatabaseError } from 'pg';
import { qualified } from '../archive/copy-session';
import type { ArchivedTable } from '../archive/manifest';
import { OperationError } from '../runtime/errors';
import { runConcurrently } from '../runtime/run-concurrently';
import { attachKey, buildIndex, deferIndexes } from './indexes';
import { loadPart } from './load-part';
import { isFrozen, isLarge, LoadPlan, planLoads, type TableLoad } from './load-plan';
import type { VerifiedObjects } from './verified-objects';

/**
 * Replaces the content of tables by the archive's. Migrations may have inserted rows of their own into some, such as the
 * database's identity; the archive has those as well. Indexes of large tables are built once their rows are there.
 * Foreign keys and triggers have to be off.
 *
 * A table that is emptied and loaded in one transaction is frozen: its rows are marked as visible to every transaction
 * when they are written. Otherwise their first reader, which is the first index, marks and writes all of them a second time. That
 * takes one connection for all parts of the table, so tables that are too large for that are loaded by all of them
 * instead.
 *
 * @throws OperationError `archive_damaged`, `archive_inconsistent`; and, retryable, `store_unavailable`
 */
export async function loadTables(
  objects: VerifiedObjects,
  tables: readonly ArchivedTable[],
  writers: readonly Client[],
): Promise<void> {
  const [first] = writers;
  if (!first) throw new RangeError('Loading tables takes at least one connection');
  const loads = planLoads(tables, writers.length);
  await emptyTables(first, new Set(loads.filter((load) => !isFrozen(load)).map(({ table }) => table)));
  const indexes = await deferIndexes(first, tables.filter(isLarge));
  const plan = new LoadPlan(loads, indexes);
  await runConcurrently(plan.steps(), writers, async (step, writer, signal) => {
    if ('index' in step) return buildIndex(writer, step.index);
    await loadTable(objects, writer, step.load, signal);
    plan.markLoaded(step.load);
  });
  for (const index of indexes) await attachKey(first, index);
}

/** Empties tables before they are loaded. Few have rows, and truncating makes new files for all indexes of a table. */
async function emptyTables(client: ClientBase, tables: Iterable<ArchivedTable>): Promise<void> {
  for (const table of tables) {
    // ONLY: each partition is listed itself.
    const found = await client.query(`SELECT FROM ONLY ${qualified(table)} LIMIT 1`);
    if (found.rowCount !== 0) await client.query(`TRUNCATE ONLY ${qualified(table)}`);
  }
}

async function loadTable(
  objects: VerifiedObjects,
  writer: Client,
  load: TableLoad,
  signal: AbortSignal,
): Promise<void> {
  const { table, parts } = load;
  const freeze = isFrozen(load);
  if (freeze) await writer.query(`BEGIN; TRUNCATE ONLY ${qualified(table)}`);
  for (const part of parts) await loadPart(objects, writer, table, part, { signal, freeze });
  if (freeze) await commit(writer, table);
}

/** @throws OperationError `archive_inconsistent` naming the table, where a deferred key is violated */
async function commit(writer: ClientBase, table: ArchivedTable): Promise<void> {
  await writer.query('COMMIT').catch((cause: unknown) => {
    if (!(cause instanceof DatabaseError)) throw cause;
    const message = `PostgreSQL refuses the rows of ${table.schema}.${table.name}: ${cause.message}`;
    throw new OperationError('archive_inconsistent', message, { cause });
  });
}
