import type { DatabaseName } from '../core/contract';
import type { RowRecoveryShowReport } from '../lambdas/row-recovery/contract';
import type { Context } from './context';
import { CommandError } from './errors';
import type { Form } from './values';

/** Which rows of a report. */
export interface RowFilter {
  readonly table?: string;
  readonly kind?: 'deleted' | 'changed';
  readonly match: readonly { readonly column: string; readonly value: string }[];
}

/** `column=value`, as the report has it. */
export const match: Form<{ readonly column: string; readonly value: string }> = {
  placeholder: 'column=value',
  parse(text) {
    const [, column, value] = /^([^=\s]+)=(.*)$/s.exec(text) ?? [];
    if (column === undefined || value === undefined) {
      throw new CommandError('usage', 'expected column=value such as customer_id=cus_1');
    }
    return { column, value };
  },
};

/** Rows of a report. */
export async function showRows(
  { invoke }: Pick<Context, 'invoke'>,
  database: DatabaseName,
  reportId: string,
  { table, kind, match: wanted }: RowFilter,
  page: { readonly offset?: number; readonly limit?: number; readonly idsOnly?: boolean },
): Promise<RowRecoveryShowReport> {
  const { contract, rowRecoveryShowReport } = await import('../lambdas/row-recovery/contract');
  const request = { action: 'show', database, reportId, table, kind, match: wanted, ...page } as const;
  return invoke('row-recovery', { ...contract, report: rowRecoveryShowReport }, request);
}

/** Ids of all rows that match. @throws CommandError `refused` when none does */
export async function matchingIds(
  context: Pick<Context, 'invoke'>,
  database: DatabaseName,
  reportId: string,
  filter: RowFilter,
): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = { offset: ids.length, limit: 20_000, idsOnly: true };
    const { rows, complete } = await showRows(context, database, reportId, filter, page);
    ids.push(...rows.map(({ id }) => id));
    if (complete) break;
  }
  if (ids.length === 0) throw new CommandError('refused', `No row of report ${reportId} matches`);
  return ids;
}

/**
 * Ids in a text: one a line, or rows as `ops rows show --json` and the report's object have them, one JSON object a line.
 *
 * @throws CommandError `usage`, naming the line
 */
export function idsIn(text: string, file: string): string[] {
  const ids = text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    if (!trimmed.startsWith('{')) return [trimmed];
    try {
      const { id } = JSON.parse(trimmed) as { readonly id?: unknown };
      if (typeof id === 'string') return [id];
    } catch {
      // As for an object without an id.
    }
    throw new CommandError('usage', `${file}, line ${index + 1}: expected the id of a row, or an object that has it`);
  });
  if (ids.length === 0) throw new CommandError('usage', `${file} names no row`);
  return ids;
}
