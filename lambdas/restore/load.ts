import type { Client, ClientBase } from 'pg';
import { applyCopySettings, qualified } from '../shared/archive/copy-session';
import { distribute } from '../shared/archive/distribute';
import type { ArchivedPart, ArchivedTable, Manifest } from '../shared/archive/manifest';
import type { ArchiveStore } from '../shared/archive/store';
import type { DatabaseConnector } from '../shared/database/connector';
import { OperationError } from '../shared/errors';
import { listRoots, listTables, type SourceTable } from '../shared/archive/catalog';
import { buildIndex, deferIndexes, type DeferredIndex } from './indexes';
import { loadPart } from './read-part';

/** Rows from which a table's indexes are built after it was loaded. Below, a statement more costs as much as it saves. */
const INDEX_LATER_ROWS = 5_000;

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
      await writer.query('SET synchronous_commit = off');
    }
    return await work(writers);
  } finally {
    await Promise.all(writers.map((writer) => writer.end().catch(() => undefined)));
  }
}

type LoadStep =
  | { readonly part: ArchivedPart; readonly table: ArchivedTable }
  | { readonly index: DeferredIndex; readonly part?: undefined };

/**
 * Replaces the content of all tables by the archive's. Migrations may have put rows of their own into some, such as the
 * database's identity; the archive has those as well. Indexes of large tables are built once their rows are there.
 * Foreign keys and triggers have to be off.
 */
export async function loadTables(store: ArchiveStore, manifest: Manifest, writers: readonly Client[]): Promise<void> {
  const { tables } = manifest;
  const [first] = writers;
  if (!first) throw new RangeError('Nobody to load the tables: at least one writer is needed');
  // ONLY: each partition is listed itself.
  const names = tables.map((table) => `ONLY ${qualified(table)}`);
  if (names.length > 0) await first.query(`TRUNCATE ${names.join(', ')}`);
  const indexes = await deferIndexes(
    first,
    tables.filter((table) => table.rows >= INDEX_LATER_ROWS),
  );
  const indexesByTable = Map.groupBy(indexes, (index) => qualified({ schema: index.schema, name: index.table }));
  const partsLeft = new Map(tables.map((table) => [table, table.parts.length]));
  const parts = tables
    .flatMap((table) => table.parts.map((part) => ({ table, part })))
    .toSorted((one, other) => other.part.bytes - one.part.bytes);
  await distribute<LoadStep, Client>(parts, writers, async (step, writer, signal) => {
    if (step.part === undefined) return buildIndex(writer, step.index);
    await loadPart(store, writer, step.table, step.part, signal);
    const left = (partsLeft.get(step.table) ?? 0) - 1;
    partsLeft.set(step.table, left);
    if (left > 0) return undefined;
    return (indexesByTable.get(qualified(step.table)) ?? []).map((index) => ({ index }));
  });
}

/**
 * Compares the rows that each table holds with the manifest.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertRowCounts(manifest: Manifest, writers: readonly ClientBase[]): Promise<void> {
  await distribute(manifest.tables, writers, async (table, writer) => {
    const result = await writer.query<{ rows: number }>(
      `SELECT count(*)::float8 AS rows FROM ONLY ${qualified(table)}`,
    );
    const rows = result.rows[0]?.rows;
    if (rows === table.rows) return;
    throw inconsistent(`Table ${table.schema}.${table.name} holds ${rows} rows, the archive says ${table.rows}`);
  });
}

/** Collects statistics of every table, without which the first queries after a cut-over would be planned blindly. */
export async function collectStatistics(client: ClientBase, writers: readonly ClientBase[]): Promise<void> {
  await distribute(await listRoots(client), writers, async (table, writer) => {
    await writer.query(`ANALYZE ${qualified(table)}`);
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
