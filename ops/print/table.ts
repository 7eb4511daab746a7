import { stripVTControlCharacters } from 'node:util';
import type { Style } from './style';

/** Columns apart from each other, each as wide as its widest cell. Numbers are aligned to the right. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | number | null | undefined)[])[],
  style: Style,
): string[] {
  const isNumeric = headings.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  );
  const cells = rows.map((row) =>
    headings.map((_, column) => {
      const cell = row[column];
      return typeof cell === 'number' ? cell.toLocaleString('en') : (cell ?? '–');
    }),
  );
  const widths = headings.map((heading, column) =>
    Math.max(widthOf(heading), ...cells.map((row) => widthOf(row[column] ?? ''))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return isNumeric[column] ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [style.dim(line(headings)), ...cells.map(line)];
}

/** Names and values below each other. */
export function fields(
  entries: readonly (readonly [string, string | number | null | undefined])[],
  style: Style,
): string[] {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => {
    const text = typeof value === 'number' ? value.toLocaleString('en') : (value ?? '–');
    return `${style.dim(name.padEnd(width))}  ${text}`;
  });
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}
