import type { RowRecoveryMergeReport, RowRecoveryMergeRequest, TableMerge } from '../lambdas/row-recovery/contract';
import type { Context } from './context';
import { CommandError } from './errors';
import { counted } from './print/units';

/**
 * Asks the row-recovery function to merge, or plan a merge, until every row was: many rows take several calls, each of which is
 * a transaction.
 *
 * @returns one report of all calls
 * @throws CommandError that says what earlier calls have merged, when a later one fails
 */
export async function mergeRows(
  { invoke, note, signal }: Pick<Context, 'invoke' | 'note' | 'signal'>,
  request: RowRecoveryMergeRequest,
): Promise<RowRecoveryMergeReport> {
  const { contract, rowRecoveryMergeReport } = await import('../lambdas/row-recovery/contract');
  const ask = (offset: number) =>
    invoke('row-recovery', { ...contract, report: rowRecoveryMergeReport }, { ...request, offset });
  let report = await ask(0);
  while (report.next !== null) {
    const rows = counted(report.inserted + report.updated, 'row');
    note(
      report.dryRun
        ? `${rows} would be put back so far; looking at the others`
        : `${rows} put back; continuing. To continue later, repeat the command`,
    );
    signal.throwIfAborted();
    const next = await ask(report.next).catch((cause: Error) => {
      if (request.confirm === undefined || signal.aborted) throw cause;
      const stay = `${rows} were put back by earlier calls, and stay. Once what stopped the others is mended, repeat the command`;
      // Not refused, whatever the function says: something was done.
      throw new CommandError('failed', `${cause.message} ${stay}`, { cause });
    });
    report = sumOf(report, next);
  }
  return report;
}

/** What two calls did, of which the second continued the first. */
function sumOf(first: RowRecoveryMergeReport, second: RowRecoveryMergeReport): RowRecoveryMergeReport {
  const tables = first.tables.map((table): TableMerge => {
    const more = second.tables.find((candidate) => candidate.table === table.table);
    return more === undefined ? table : { ...table, ...countsOf(table, more) };
  });
  return {
    ...second,
    tables,
    ...countsOf(first, second),
    conflicts: [...first.conflicts, ...second.conflicts],
    entitlementsChanged: first.entitlementsChanged + second.entitlementsChanged,
  };
}

type Counts = Pick<TableMerge, 'inserted' | 'updated' | 'skipped'>;

function countsOf(one: Counts, other: Counts): Counts {
  return {
    inserted: one.inserted + other.inserted,
    updated: one.updated + other.updated,
    skipped: one.skipped + other.skipped,
  };
}
