import type { ArchiveStore } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import type { RowRecoveryShowReport, RowRecoveryShowRequest } from './contract';
import { readRows, readSummary } from './read-report';
import type { ReportedRow } from './report-format';

/** Bytes of an answer; Lambda takes 6 MB. */
const MAX_BYTES = 4_000_000;

/**
 * Lists rows of a report.
 *
 * @throws OperationError `report_not_found`, `report_damaged`, or `store_unavailable` (retryable)
 */
export async function showRows(
  store: ArchiveStore,
  database: DatabaseName,
  request: Omit<RowRecoveryShowRequest, 'action' | 'database'>,
): Promise<RowRecoveryShowReport> {
  const { reportId, offset, limit, idsOnly } = request;
  const summary = await readSummary(store, database, reportId);
  const rows: RowRecoveryShowReport['rows'] = [];
  let total = 0;
  let bytes = 0;
  await readRows(store, summary, (row, rowBytes) => {
    if (isWanted(row, request)) {
      const size = idsOnly ? row.id.length + 80 : rowBytes;
      const fits = rows.length === 0 || bytes + size <= MAX_BYTES;
      // Without a gap: what does not fit, and all after it, belongs to the next answer.
      if (total === offset + rows.length && rows.length < limit && fits) {
        rows.push(describe(row, idsOnly));
        bytes += size;
      }
      total += 1;
    }
    return Promise.resolve();
  });
  return { reportId, database, total, rows, complete: offset + rows.length >= total };
}

function isWanted(
  row: ReportedRow,
  { table, kind, match = [] }: Pick<RowRecoveryShowRequest, 'table' | 'kind' | 'match'>,
) {
  return (
    (table === undefined || row.table === table) &&
    (kind === undefined || row.kind === kind) &&
    match.every(({ column, value }) => row.archived[column] === value)
  );
}

function describe({ id, kind, archived, live }: ReportedRow, idsOnly: boolean): RowRecoveryShowReport['rows'][number] {
  if (idsOnly) return { id, kind, archived: null, live: null };
  const differing = live && Object.fromEntries(Object.entries(live).filter(([key, value]) => archived[key] !== value));
  return { id, kind, archived, live: differing };
}
