import type { ClientBase } from 'pg';
import { listTables, type RelationName, type SourceTable } from '../archive/catalog';
import { qualified } from '../archive/copy-session';
import type { ArchivedTable } from '../archive/manifest';
import { runConcurrently } from '../runtime/run-concurrently';
import { archiveContradictsSchema } from './archive-errors';

/**
 * Refuses an archive whose tables are not those of its schema: rows would be left out, or tables left empty. Tables of
 * extensions are not compared: another version of the extension may have others.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertExpectedTables(client: ClientBase, tables: readonly ArchivedTable[]): Promise<void> {
  const made = (await listTables(client)).filter(({ extension }) => !extension);
  const expected = new Map(made.map((table) => [qualified(table), table]));
  for (const table of tables.filter(({ extension }) => extension === undefined)) {
    const target = expected.get(qualified(table));
    if (!target) {
      throw archiveContradictsSchema(
        `Table ${table.schema}.${table.name} is in the archive, but its schema does not make it`,
      );
    }
    if (!hasColumns(target, table.columns)) {
      throw archiveContradictsSchema(
        `Table ${table.schema}.${table.name} has other columns in the archive than in its schema`,
      );
    }
    expected.delete(qualified(table));
  }
  const [missing] = expected.values();
  if (!missing) return;
  throw archiveContradictsSchema(`Table ${missing.schema}.${missing.name} is missing from the archive`);
}

function hasColumns(target: SourceTable, columns: readonly string[]): boolean {
  return target.columns.length === columns.length && new Set([...target.columns, ...columns]).size === columns.length;
}

/** What is counted at once: a table, or a partitioned table with all of its partitions. */
interface Count {
  readonly table: RelationName;
  readonly withPartitions: boolean;
  readonly rows: number;
}

/**
 * Compares the rows that tables hold with the manifest.
 *
 * @throws OperationError `archive_inconsistent` naming the table
 */
export async function assertRowCounts(clients: readonly ClientBase[], tables: readonly ArchivedTable[]): Promise<void> {
  const own = tables.filter(({ extension, loadThrough }) => extension === undefined && loadThrough === undefined);
  const roots = Map.groupBy(
    tables.filter(({ loadThrough }) => loadThrough !== undefined),
    ({ loadThrough }) => JSON.stringify(loadThrough),
  );
  const counts: Count[] = [
    ...own.map((table) => ({ table, withPartitions: false, rows: table.rows })),
    ...[...roots].map(([root, leaves]) => ({
      table: JSON.parse(root) as RelationName,
      withPartitions: true,
      rows: leaves.reduce((sum, { rows }) => sum + rows, 0),
    })),
  ];
  await runConcurrently(counts, clients, (count, client) => assertCount(client, count));
}

async function assertCount(client: ClientBase, { table, withPartitions, rows: expected }: Count): Promise<void> {
  const result = await client.query<{ rows: number }>(
    `SELECT count(*)::float8 AS rows FROM ${withPartitions ? '' : 'ONLY '}${qualified(table)}`,
  );
  const rows = result.rows[0]?.rows;
  if (rows === expected) return;
  throw archiveContradictsSchema(
    `Table ${table.schema}.${table.name} holds ${rows} rows, but the archive has ${expected}`,
  );
}
