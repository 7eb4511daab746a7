import type { RowRecoveryReport, RowRecoveryReportRequest } from '../lambdas/row-recovery/contract';
import type { Context } from './context';
import { counted } from './print/units';

/**
 * Asks the row-recovery function for reports until everything was compared: large tables of an archive take several calls,
 * each of which makes a report of its own.
 *
 * @returns the reports, parents before children; one unless the tables are large
 */
export async function compareRows(
  { invoke, note, signal }: Pick<Context, 'invoke' | 'note' | 'signal'>,
  first: RowRecoveryReportRequest,
): Promise<readonly RowRecoveryReport[]> {
  const { contract, rowRecoveryReport } = await import('../lambdas/row-recovery/contract');
  const reports: RowRecoveryReport[] = [];
  let request: RowRecoveryReportRequest | undefined = first;
  while (request !== undefined) {
    signal.throwIfAborted();
    const report: RowRecoveryReport = await invoke('row-recovery', { ...contract, report: rowRecoveryReport }, request);
    reports.push(report);
    const { next, slot }: RowRecoveryReport = report;
    if (next === null || slot === null) return reports;
    const [found, place] = [report.deleted + report.changed, `${next.table}:${next.part}`];
    const made = found === 0 ? 'no row differs in this part' : `report ${report.reportId} has ${counted(found, 'row')}`;
    note(`${made}; continuing. To continue later: the same with --from-archive ${slot} --continue ${place}`);
    const { notAfter: _notAfter, ...same }: RowRecoveryReportRequest = request;
    request = { ...same, archive: slot, from: next };
  }
  return reports;
}

/** What several reports say together, with the tables as one. */
export function combined(reports: readonly RowRecoveryReport[]): Pick<RowRecoveryReport, 'tables' | 'related'> {
  const tables = new Map<string, RowRecoveryReport['tables'][number]>();
  for (const counts of reports.flatMap((report) => report.tables)) {
    const sofar = tables.get(counts.table) ?? { compared: 0, deleted: 0, changed: 0 };
    tables.set(counts.table, {
      table: counts.table,
      compared: sofar.compared + counts.compared,
      deleted: sofar.deleted + counts.deleted,
      changed: sofar.changed + counts.changed,
    });
  }
  return { tables: [...tables.values()], related: reports[0]?.related ?? [] };
}
