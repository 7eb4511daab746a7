import type { ClientBase } from 'pg';
import { listTables, type SourceTable } from '../archive/catalog';
import { qualified } from '../archive/copy-session';
import type { ArchivedTable, Manifest } from '../archive/manifest';
import { archiveContradictsSchema } from './archive-errors';

/**
 * Refuses an archive whose tables are not those of the migrated schema: rows would be left out, or tables left empty.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertExpectedTables(client: ClientBase, manifest: Manifest): Promise<void> {
  const migrated = new Map((await listTables(client)).map((table) => [qualified(table), table]));
  for (const table of manifest.tables) {
    const target = migrated.get(qualified(table));
    if (!target) {
      throw archiveContradictsSchema(
        `Table ${table.schema}.${table.name} is in the archive, but no migration creates it`,
      );
    }
    if (!hasColumns(target, table.columns)) {
      throw archiveContradictsSchema(
        `Table ${table.schema}.${table.name} has other columns in the archive than migrations create`,
      );
    }
    migrated.delete(qualified(table));
  }
  const [missing] = migrated.values();
  if (!missing) return;
  throw archiveContradictsSchema(`Table ${missing.schema}.${missing.name} is missing from the archive`);
}

function hasColumns(target: SourceTable, columns: readonly string[]): boolean {
  return target.columns.length === columns.length && new Set([...target.columns, ...columns]).size === columns.length;
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
  throw archiveContradictsSchema(
    `Table ${table.schema}.${table.name} holds ${rows} rows, but the archive has ${table.rows}`,
  );
}
