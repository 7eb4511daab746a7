import { DatabaseError, type Client, type ClientBase } from 'pg';
import { applyCopySettings, columnList, qualified } from '../archive/copy-session';
import { distribute } from '../archive/distribute';
import type { ArchivedPart, ArchivedTable, Manifest } from '../archive/manifest';
import type { DatabaseConnector } from '../database/connector';
import { OperationError } from '../runtime/errors';
import { listRoots, listTables, type SourceTable } from '../archive/catalog';
import { attachKey, buildIndex, deferIndexes, type DeferredIndex } from './indexes';
import { loadPart } from './load-part';
import type { VerifiedObjects } from './verified-objects';

/**
 * Rows from which a table is frozen, and its indexes are built after it was loaded. Below, a statement more costs as much
 * as it saves.
 */
const LARGE_ROWS = 5_000;
/**
 * Size of a table from which PostgreSQL takes further processes for an index of it, instead of 8 MB. Writers build beside
 * each other: starting more for little costs a tenth of the time where they have to share the cores.
 */
const PARALLEL_FROM = '1GB';
/** Buckets of a column's statistics, instead of 100; what the second stage of `vacuumdb --analyze-in-stages` collects. */
const COARSE_STATISTICS = 10;
/** How much of a connection's even share of all bytes a table may have to be loaded at once: what freezing it saves. */
const FROZEN_SHARE = 1.25;

/**
 * Refuses an archive whose tables are not those of the migrated schema: rows would be left out, or tables left empty.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertSameTables(client: ClientBase, manifest: Manifest): Promise<void> {
  const migrated = new Map((await listTables(client)).map((table) => [qualified(table), table]));
  for (const table of manifest.tables) {
    const target = migrated.get(qualified(table));
    if (!target) {
      throw inconsistent(`Table ${table.schema}.${table.name} is in the archive, but no migration creates it`);
    }
    if (!sameColumns(target, table.columns)) {
      throw inconsistent(`Table ${table.schema}.${table.name} has other columns in the archive than migrations create`);
    }
    migrated.delete(qualified(table));
  }
  const [missing] = migrated.values();
  if (missing) throw inconsistent(`Table ${missing.schema}.${missing.name} is missing from the archive`);
}

function sameColumns(target: SourceTable, columns: readonly string[]): boolean {
  return target.columns.length === columns.length && new Set([...target.columns, ...columns]).size === columns.length;
}

/** Connections to the restored database for work that several may do at once. */
export async function withWriters<T>(
  connector: DatabaseConnector,
  database: string,
  count: number,
  work: (writers: readonly Client[]) => Promise<T>,
): Promise<T> {
  const writers: Client[] = [];
  try {
    while (writers.length < count) {
      const writer = await connector.connect(database);
      writers.push(writer);
      await applyCopySettings(writer);
      // A crash loses the whole new database anyway.
      await writer.query(`SET synchronous_commit = off; SET min_parallel_table_scan_size = '${PARALLEL_FROM}'`);
    }
    return await work(writers);
  } finally {
    await Promise.all(writers.map((writer) => writer.end().catch(() => undefined)));
  }
}

/** One object of a table, or all of them, which are loaded in one transaction then. */
interface TableLoad {
  readonly table: ArchivedTable;
  readonly parts: readonly ArchivedPart[];
  /** Text that it loads. */
  readonly bytes: number;
}
interface IndexBuild {
  readonly index: DeferredIndex;
  /** Text of its table. */
  readonly bytes: number;
  readonly table?: undefined;
}
type LoadStep = TableLoad | IndexBuild;

/**
 * Replaces the content of all tables by the archive's. Migrations may have put rows of their own into some, such as the
 * database's identity; the archive has those as well. Indexes of large tables are built once their rows are there.
 * Foreign keys and triggers have to be off.
 *
 * A table that is emptied and loaded in one transaction is frozen: its rows are marked as visible to everybody as they are
 * written. Otherwise the first to read them, which is the first index, marks and writes all of them a second time. That
 * takes one connection for all parts of the table, so tables that are too large for that are loaded by all of them instead.
 */
export async function loadTables(
  objects: VerifiedObjects,
  manifest: Manifest,
  writers: readonly Client[],
): Promise<void> {
  const { tables } = manifest;
  const [first] = writers;
  if (!first) throw new RangeError('Nobody to load the tables: at least one writer is needed');
  const loads = tables.flatMap((table) => planLoads(table, tables, writers.length));
  await emptyTables(first, new Set(loads.filter((load) => !isFrozen(load)).map((load) => load.table)));
  const indexes = await deferIndexes(
    first,
    tables.filter((table) => table.rows >= LARGE_ROWS),
  );
  const indexesByTable = Map.groupBy(indexes, (index) => qualified({ schema: index.schema, name: index.table }));
  const partsLeft = new Map(tables.map((table) => [table, table.parts.length]));
  const work = async (step: LoadStep, writer: Client, signal: AbortSignal): Promise<IndexBuild[] | void> => {
    if (step.table === undefined) return buildIndex(writer, step.index);
    await loadTable(objects, writer, step, signal);
    const left = (partsLeft.get(step.table) ?? 0) - step.parts.length;
    partsLeft.set(step.table, left);
    if (left > 0) return undefined;
    const { bytes } = step.table;
    return indexesByTable.get(qualified(step.table))?.map((index) => ({ index, bytes }));
  };
  await distribute<LoadStep, Client>(loads, writers, work, longestFirst);
  for (const index of indexes) await attachKey(first, index);
}

/** Empties tables before they are loaded; hardly any has a row, and truncating makes new files for all of its indexes. */
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

/** @throws OperationError `archive_inconsistent` naming the table, where a key that is only checked now is violated */
async function commit(writer: ClientBase, table: ArchivedTable): Promise<void> {
  await writer.query('COMMIT').catch((cause: unknown) => {
    if (!(cause instanceof DatabaseError)) throw cause;
    throw new OperationError(
      'archive_inconsistent',
      `The rows of ${table.schema}.${table.name} are refused: ${cause.message}`,
      {
        cause,
      },
    );
  });
}

/**
 * Nobody should be left alone with a long step at the end. Indexes come after all tables, those of a table together:
 * PostgreSQL then lets them share one reading of it.
 */
function longestFirst(one: LoadStep, other: LoadStep): number {
  return Number(one.table === undefined) - Number(other.table === undefined) || other.bytes - one.bytes;
}

/** Whether all of a table comes over one connection, and there is enough of it to be worth it. */
function isFrozen({ table, parts }: TableLoad): boolean {
  return parts.length === table.parts.length && table.rows >= LARGE_ROWS;
}

/** A table is loaded at once unless it keeps one connection busy long after all others have finished. */
function planLoads(table: ArchivedTable, all: readonly ArchivedTable[], connections: number): TableLoad[] {
  const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  if (table.parts.length === 1 || table.bytes <= (FROZEN_SHARE * total) / connections) {
    return [{ table, parts: table.parts, bytes: table.bytes }];
  }
  return table.parts.map((part) => ({ table, parts: [part], bytes: part.bytes }));
}

/**
 * Compares the rows that a table holds with the manifest.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertRowCount(client: ClientBase, table: ArchivedTable): Promise<void> {
  const result = await client.query<{ rows: number }>(`SELECT count(*)::float8 AS rows FROM ONLY ${qualified(table)}`);
  const rows = result.rows[0]?.rows;
  if (rows === table.rows) return;
  throw inconsistent(`Table ${table.schema}.${table.name} holds ${rows} rows, the archive says ${table.rows}`);
}

/**
 * Collects statistics of every table, without which the first queries after a cut-over would be planned blindly: coarse
 * ones where finer ones come by themselves. Columns are named because PostgreSQL then goes on counting the rows that were
 * loaded as changes since the last analysis: autovacuum, which comes within a minute, collects the fine ones, which take
 * ten times as long. Tables of a few rows stay as they are, which is no less than there is to know.
 */
export async function collectStatistics(client: ClientBase, writers: readonly ClientBase[]): Promise<void> {
  await distribute(await listRoots(client), writers, async (table, writer) => {
    const coarse = table.isRefined && table.columns.length > 0;
    await writer.query(
      coarse
        ? `SET default_statistics_target = ${COARSE_STATISTICS}; ANALYZE ${qualified(table)} (${columnList(table.columns)})`
        : `RESET default_statistics_target; ANALYZE ${qualified(table)}`,
    );
  });
}

/**
 * Sets the sequences to where the source's stood.
 *
 * @throws OperationError `archive_inconsistent` naming a sequence that no migration creates
 */
export async function restoreSequences(client: ClientBase, manifest: Manifest): Promise<void> {
  for (const sequence of manifest.sequences) {
    const result = await client.query(
      `SELECT setval(s.oid, $3::bigint, $4) FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
       WHERE s.relkind = 'S' AND n.nspname = $1 AND s.relname = $2`,
      [sequence.schema, sequence.name, sequence.lastValue, sequence.isCalled],
    );
    if (result.rowCount === 1) continue;
    throw inconsistent(`Sequence ${sequence.schema}.${sequence.name} is in the archive, but no migration creates it`);
  }
}

function inconsistent(message: string): OperationError {
  return new OperationError(
    'archive_inconsistent',
    `${message}: restore another archive, or add the missing migration`,
  );
}
