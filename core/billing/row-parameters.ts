import { arrayParameter, type ArrayElements, type ArrayElementType } from '../database/array-parameter';
import { sentAs, type RowsStatement } from './statements';

type Element = ArrayElements[ArrayElementType] | null;

/**
 * The parameters of a statement for these rows: an array for each of its columns. What a row does not have is null.
 *
 * Rows are put in the order of their first column, the key: every transaction locks them in the same order, so that two of
 * them wait for each other instead of deadlocking.
 */
export function rowParameters(
  { columns }: RowsStatement,
  rows: readonly Readonly<Record<string, unknown>>[],
): Buffer[] {
  const [key = ''] = Object.keys(columns);
  const sorted = rows.toSorted((a, b) => ((a[key] as string) < (b[key] as string) ? -1 : 1));
  return Object.entries(columns).map(([column, type]) =>
    arrayParameter(
      sentAs(type),
      sorted.map((row) => elementOf(row[column])),
    ),
  );
}

function elementOf(value: unknown): Element {
  if (value === undefined || value === null) return null;
  return Array.isArray(value) ? arrayLiteral(value) : (value as Element);
}

/** An array of texts in PostgreSQL's text form. */
function arrayLiteral(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(',')}}`;
}
