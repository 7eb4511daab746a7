import type { Client, ClientBase } from 'pg';
import { applyCopySettings, qualified } from '../shared/archive/copy-session';
import { distribute } from '../shared/archive/distribute';
import type { Manifest } from '../shared/archive/manifest';
import type { ArchiveStore } from '../shared/archive/store';
import type { DatabaseConnector } from '../shared/database/connector';
import { OperationError } from '../shared/errors';
import { type SourceTable, listTables } from '../shared/archive/catalog';
import { loadPart } from './read-part';

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

/**
 * Replaces the content of all tables by the archive's. Migrations may have put rows of their own into some, such as the
 * database's identity; the archive has those as well.
 */
export async function loadTables(
  connector: DatabaseConnector,
  store: ArchiveStore,
  client: ClientBase,
  manifest: Manifest,
  targetDatabase: string,
  workers: number,
): Promise<void> {
  // ONLY: each partition is listed itself.
  const names = manifest.tables.map((table) => `ONLY ${qualified(table)}`);
  if (names.length > 0) await client.query(`TRUNCATE ${names.join(', ')}`);
  const parts = manifest.tables
    .flatMap((table) => table.parts.map((part) => ({ table, part })))
    .toSorted((one, other) => other.part.bytes - one.part.bytes);
  const writers: Client[] = [];
  try {
    while (writers.length < workers) {
      const writer = await connector.connect(targetDatabase);
      writers.push(writer);
      await applyCopySettings(writer);
      // A crash loses the whole scratch database anyway.
      await writer.query('SET synchronous_commit = off');
    }
    await distribute(parts, writers, ({ table, part }, writer, signal) => loadPart(store, writer, table, part, signal));
  } finally {
    await Promise.all(writers.map((writer) => writer.end().catch(() => undefined)));
  }
}

/**
 * Compares the rows that each table holds with the manifest.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertRowCounts(client: ClientBase, manifest: Manifest): Promise<void> {
  for (const table of manifest.tables) {
    const result = await client.query<{ rows: number }>(
      `SELECT count(*)::float8 AS rows FROM ONLY ${qualified(table)}`,
    );
    const rows = result.rows[0]?.rows;
    if (rows === table.rows) continue;
    throw inconsistent(`Table ${table.schema}.${table.name} holds ${rows} rows, the archive says ${table.rows}`);
  }
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
