import { pipeline } from 'node:stream/promises';
import { type Client, type ClientBase, escapeIdentifier } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { columnList, qualified } from '../../core/archive/copy-session';
import { OperationError } from '../../core/runtime/errors';
import type { RowDifference } from './contract';
import type { ReportedRow } from './report-format';
import { keyOf, type LiveTable, nameOf } from './tables';

/** Rows fetched at once: more gains little. */
const MAX_FETCH = 100;
/**
 * Bytes as text that a row, archived and live together, may have to be in a report. More would fill the function's memory
 * with a single row; rows of this platform have thousands of bytes, not millions.
 */
export const MAX_ROW_BYTES = 16 * 1024 * 1024;
/** How many rows of the largest allowed size are fetched at once. Each takes its size in memory a few times. */
const LARGEST_AT_ONCE = 2;

interface DifferingRow {
  readonly key: readonly string[];
  readonly kind: RowDifference;
  readonly archived: readonly (string | null)[];
  readonly live: readonly (string | null)[] | null;
  readonly liveSha256: string | null;
}

/** A row as text under the settings of COPY: two rows are equal when the text of every column is. */
export function rowText(alias: string, table: LiveTable): string {
  return `ROW(${columnsOf(alias, table).join(', ')})::text`;
}

export function rowSha256(alias: string, table: LiveTable): string {
  return `encode(sha256(convert_to(${rowText(alias, table)}, 'UTF8')), 'hex')`;
}

function columnsOf(alias: string, table: LiveTable): string[] {
  return table.columns.map((column) => `${alias}.${escapeIdentifier(column.name)}`);
}

/** Name of the table of {@link createCopies}. */
export function temporaryName(index: number): string {
  return `pg_temp.archived_${index}`;
}

/**
 * Creates the temporary table of the live session that former rows are copied to. Other sessions cannot see it; it is dropped
 * with the session. In the transaction of the comparison, so that {@link clearCopies} gives its space back at once.
 */
export async function createCopies(live: ClientBase, table: LiveTable, index: number): Promise<void> {
  const columns = columnList(table.columns.map((column) => column.name));
  await live.query(
    `CREATE TEMPORARY TABLE archived_${index} AS SELECT ${columns} FROM ONLY ${qualified(table)} WITH NO DATA`,
  );
}

/** Empties the table of {@link createCopies}. */
export async function clearCopies(live: ClientBase, index: number): Promise<void> {
  await live.query(`TRUNCATE ${temporaryName(index)}`);
}

/**
 * Copies the former rows that meet the condition into the table of {@link createCopies}.
 *
 * @returns how many rows were copied
 */
export async function copyRows(
  source: Client,
  live: Client,
  table: LiveTable,
  index: number,
  where: string,
): Promise<number> {
  const columns = columnList(table.columns.map((column) => column.name));
  const name = temporaryName(index);
  const from = source.query(copyTo(`COPY (SELECT ${columns} FROM ONLY ${qualified(table)} WHERE ${where}) TO STDOUT`));
  const target = live.query(copyFrom(`COPY ${name} (${columns}) FROM STDIN`));
  await pipeline(from, target);
  await live.query(`ANALYZE ${name}`);
  return target.rowCount ?? 0;
}

/**
 * Bytes of the largest differing row, as text.
 *
 * @param comparison the key of a row, the FROM clause with the condition under which rows differ, and the limit
 * @throws OperationError `row_too_large` naming the row, before anything of it is fetched
 */
async function largestRow(
  live: ClientBase,
  table: LiveTable,
  { key, source, maxRowBytes }: { readonly key: string; readonly source: string; readonly maxRowBytes: number },
): Promise<number> {
  const bytesOf = (alias: string) =>
    columnsOf(alias, table).map((column) => `coalesce(octet_length(${column}::text), 0)`);
  const largest = await live.query<{ key: string[]; bytes: number }>(
    `SELECT ${key} AS key, (${[...bytesOf('a'), ...bytesOf('l')].join(' + ')})::float8 AS bytes
     ${source} ORDER BY bytes DESC LIMIT 1`,
  );
  const [row] = largest.rows;
  if (row === undefined || row.bytes <= maxRowBytes) return row?.bytes ?? 0;
  throw new OperationError(
    'row_too_large',
    `Row ${idOf(table, row.key)} has ${row.bytes} bytes as text, archived and live together, more than the ${maxRowBytes} of a report: exclude it by a condition, and copy that row from a restored database`,
  );
}

function idOf(table: LiveTable, key: readonly string[]): string {
  return `${nameOf(table)}:${key.length === 1 ? key[0] : JSON.stringify(key)}`;
}

/**
 * The archived rows that the live table lacks or has with other values, in the order of their keys, fetched as they are
 * read.
 *
 * @param live the session of {@link copyRows}, in a transaction
 * @throws OperationError `row_too_large` naming the row
 */
export async function* differences(
  live: ClientBase,
  table: LiveTable,
  index: number,
  maxRowBytes: number,
): AsyncGenerator<ReportedRow> {
  const inKey = table.columns.filter((column) => column.inKey);
  const keys = inKey.map((column) => escapeIdentifier(column.name));
  const firstKey = `l.${keys[0]}`;
  const text = (alias: string) =>
    `ARRAY[${columnsOf(alias, table)
      .map((column) => `${column}::text`)
      .join(', ')}]`;
  const keyText = `ARRAY[${keys.map((key) => `a.${key}::text`).join(', ')}]`;
  const source = `FROM ${temporaryName(index)} a
     LEFT JOIN ONLY ${qualified(table)} l ON ${inKey.map(({ equals }, at) => `l.${keys[at]} ${equals} a.${keys[at]}`).join(' AND ')}
     WHERE ${firstKey} IS NULL OR ${rowText('a', table)} <> ${rowText('l', table)}`;
  const largest = await largestRow(live, table, { key: keyText, source, maxRowBytes });
  const fetch = Math.min(Math.max(Math.floor((LARGEST_AT_ONCE * maxRowBytes) / Math.max(largest, 1)), 1), MAX_FETCH);
  await live.query(
    `DECLARE differing NO SCROLL CURSOR FOR
     SELECT ${keyText} AS key,
            CASE WHEN ${firstKey} IS NULL THEN 'deleted' ELSE 'changed' END AS kind,
            ${text('a')} AS archived,
            CASE WHEN ${firstKey} IS NOT NULL THEN ${text('l')} END AS live,
            CASE WHEN ${firstKey} IS NOT NULL THEN ${rowSha256('l', table)} END AS "liveSha256"
     ${source}
     ORDER BY ${keyOf(table)
       .map(({ escaped }) => `a.${escaped}`)
       .join(', ')}`,
  );
  for (;;) {
    const fetched = await live.query<DifferingRow>(`FETCH ${fetch} FROM differing`);
    for (const row of fetched.rows) {
      yield {
        id: idOf(table, row.key),
        table: nameOf(table),
        kind: row.kind,
        archived: byColumn(table, row.archived),
        live: row.live && byColumn(table, row.live),
        liveSha256: row.liveSha256,
      };
    }
    if (fetched.rows.length < fetch) break;
  }
  await live.query('CLOSE differing');
}

function byColumn(table: LiveTable, values: readonly (string | null)[]): Record<string, string | null> {
  return Object.fromEntries(table.columns.map((column, index) => [column.name, values[index] ?? null]));
}
