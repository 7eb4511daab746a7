import { arrayParameter, type ArrayElements, type ArrayElementType } from '../database/array-parameter';
import type { Columns, RowOf } from './columns';
import { wireType, type RowsStatement } from './statements';

type Element = ArrayElements[ArrayElementType] | null;

/**
 * The parameters of a statement for these rows: one array for each of its columns.
 *
 * Rows are sorted by the first column, the key: every transaction then locks them in the same order, so that two of them
 * wait for each other instead of deadlocking.
 *
 * @throws TypeError when a row lacks a column. NULL must be said: a forgotten column would be NULL in every row.
 */
export function rowParameters<Table extends Columns>(
  { name, columns }: RowsStatement<Table>,
  rows: readonly RowOf<Table>[],
): Buffer[] {
  const [key = ''] = Object.keys(columns);
  const sorted = rows.toSorted((a, b) => ((a[key] as string) < (b[key] as string) ? -1 : 1));
  return Object.entries(columns).map(([column, type]) =>
    arrayParameter(
      wireType(type),
      sorted.map((row) => {
        const value = row[column];
        if (value === undefined) throw new TypeError(`${name}: a row has no ${column}; give it a value or null`);
        return wireValue(value);
      }),
    ),
  );
}

/** A value in its wire type: an array of texts, which is an element of an array itself, in PostgreSQL's text form. */
function wireValue(value: Element | readonly string[]): Element {
  return isList(value) ? arrayLiteral(value) : value;
}

function isList(value: Element | readonly string[]): value is readonly string[] {
  return Array.isArray(value);
}

function arrayLiteral(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(',')}}`;
}
