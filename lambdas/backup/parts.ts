import type { DatabaseName } from '../../core/contract';
import { columnList, qualified } from '../../core/archive/copy-session';
import { partKey } from '../../core/archive/keys';
import type { Slot } from '../../core/archive/slot';
import type { SourceTable } from '../../core/archive/catalog';

/** An object to write: all rows of a table, or those in a range of its pages. */
export interface PlannedPart {
  readonly table: SourceTable;
  readonly key: string;
  readonly sql: string;
  /** Estimate of what is read from disk. Parts are planned longest first, so that the workers finish together. */
  readonly bytes: number;
}

/**
 * Splits tables into objects of about `partBytes` of table each. A range of ctids is read without touching the rest of
 * the table, and the last range is open-ended, because the file may have grown since it was measured.
 */
export function planParts(
  archive: { readonly database: DatabaseName; readonly slot: Slot; readonly attempt: string },
  tables: readonly SourceTable[],
  partBytes: number,
): PlannedPart[] {
  return tables
    .flatMap((table) => {
      const statements = statementsOf(table, partBytes);
      return statements.map((sql, index) => ({
        table,
        key: partKey(archive.database, archive.slot, archive.attempt, table, index),
        sql,
        bytes: table.bytes / statements.length,
      }));
    })
    .toSorted((one, other) => other.bytes - one.bytes);
}

function statementsOf(table: SourceTable, partBytes: number): string[] {
  const { query, ranges } = table;
  if (query !== undefined) {
    return ranges === undefined
      ? [`COPY (${query}) TO STDOUT`]
      : ranges.map((range) => `COPY (${query} WHERE ${range}) TO STDOUT`);
  }
  const wanted = Math.max(1, Math.ceil(table.bytes / partBytes));
  const pagesPerPart = Math.max(1, Math.ceil(table.pages / wanted));
  const parts = Math.max(1, Math.ceil(table.pages / pagesPerPart));
  return Array.from({ length: parts }, (_, index) =>
    selectRows(table, index * pagesPerPart, index + 1 === parts ? undefined : (index + 1) * pagesPerPart),
  );
}

function selectRows(table: SourceTable, fromPage: number, toPage: number | undefined): string {
  const conditions = [
    ...(table.condition ? [`(${table.condition.replace(/^WHERE\b/i, '')})`] : []),
    ...(fromPage > 0 ? [`ctid >= '(${fromPage},0)'::tid`] : []),
    ...(toPage === undefined ? [] : [`ctid < '(${toPage},0)'::tid`]),
  ];
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
  // ONLY: the rows of partitions and children are archived with the table that stores them.
  return `COPY (SELECT ${columnList(table.columns)} FROM ONLY ${qualified(table)}${where}) TO STDOUT`;
}
