import type { RowRecoveryReport, RowRecoveryReportRequest } from '../lambdas/row-recovery/contract';
import type { Context } from './context';
import { counted } from './print/units';

/**
 * Asks the row-recovery function for a report until everything was compared: large tables take several calls, each of which
 * makes a report with the rows of the one before.
 */
export async function compareRows(
  { invoke, note, signal }: Pick<Context, 'invoke' | 'note' | 'signal'>,
  first: RowRecoveryReportRequest,
): Promise<RowRecoveryReport> {
  const { contract, rowRecoveryReport } = await import('../lambdas/row-recovery/contract');
  const ask = (request: RowRecoveryReportRequest) =>
    invoke('row-recovery', { ...contract, report: rowRecoveryReport }, request);
  let report = await ask(first);
  while (!report.complete) {
    const { reportId, slot } = report;
    const compared = report.tables.reduce((sum, table) => sum + table.compared, 0);
    const found = counted(report.deleted + report.changed, 'row');
    const source = slot === null ? '' : `--from-archive ${slot} `;
    const instead = first.notAfter === undefined ? '' : ' in place of --before';
    note(
      `${compared.toLocaleString('en')} rows compared, ${found} found; continuing. To continue later: the same with ${source}--continue ${reportId}${instead}`,
    );
    signal.throwIfAborted();
    const { notAfter: _notAfter, ...same } = first;
    report = await ask({ ...same, ...(slot === null ? {} : { archive: slot }), continues: reportId });
  }
  return report;
}
