import type { ClientBase } from 'pg';
import { MAX_LISTED, type ResultOf, sizesResult } from './contract';
import { resultBefore } from './records';

const DAY_MS = 86_400_000;
/** A weekly run that starts an hour early still finds the sample of the week before. */
const WEEK_DAYS = 6.5;
const MONTH_DAYS = 27;

interface TableRow {
  readonly table: string;
  readonly bytes: number;
  readonly index_bytes: number;
  readonly rows: number;
  readonly dead_rows: number;
}

/** Sizes of the database and its largest tables, beside those of the samples that former runs left on record. */
export async function measureSizes(client: ClientBase, now: Date): Promise<ResultOf<'sizes'>> {
  const sampleOf = async (days: number) =>
    sizesResult.safeParse(await resultBefore(client, 'sizes', new Date(now.getTime() - days * DAY_MS))).data;
  const [week, month] = [await sampleOf(WEEK_DAYS), await sampleOf(MONTH_DAYS)];
  const database = await client.query<{ bytes: number }>(
    'SELECT pg_database_size(current_database())::float8 AS bytes',
  );
  const { rows } = await client.query<TableRow>(
    `SELECT schemaname || '.' || relname AS table, pg_total_relation_size(relid)::float8 AS bytes,
       pg_indexes_size(relid)::float8 AS index_bytes, n_live_tup::float8 AS rows, n_dead_tup::float8 AS dead_rows
     FROM pg_stat_user_tables ORDER BY bytes DESC, 1 LIMIT $1`,
    [MAX_LISTED],
  );
  const bytesIn = (sample: typeof week, table: string) =>
    sample?.tables.find((former) => former.table === table)?.bytes ?? null;
  return {
    databaseBytes: database.rows[0]?.bytes ?? 0,
    weekAgoBytes: week?.databaseBytes ?? null,
    monthAgoBytes: month?.databaseBytes ?? null,
    tables: rows.map(({ table, bytes, index_bytes: indexBytes, rows: live, dead_rows: deadRows }) => ({
      table,
      bytes,
      indexBytes,
      rows: live,
      deadRows,
      weekAgoBytes: bytesIn(week, table),
      monthAgoBytes: bytesIn(month, table),
    })),
  };
}
