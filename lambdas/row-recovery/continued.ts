import { isDeepStrictEqual } from 'node:util';
import type { ArchiveStore } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { InvalidRequestError } from '../../core/runtime/errors';
import type { RowCondition } from './contract';
import type { FormerRows } from './former-rows';
import { readSummary } from './read-report';
import type { ReportSummary } from './report-format';
import { type LiveTable, nameOf } from './tables';

/** What the call that continues a report is about. */
export interface Continuation {
  readonly database: DatabaseName;
  readonly former: FormerRows;
  readonly tables: readonly LiveTable[];
  readonly where: readonly RowCondition[];
  /** Entries in the ledger of erasures, which only become more. */
  readonly erased: number;
}

/**
 * The report that a call continues.
 *
 * @throws InvalidRequestError when it is of another comparison, was complete, or may have rows of a person who was erased since
 * @throws OperationError as {@link readSummary} does
 */
export async function readContinued(
  store: ArchiveStore,
  reportId: string,
  { database, former, tables, where, erased }: Continuation,
): Promise<ReportSummary> {
  const summary = await readSummary(store, database, reportId);
  const refuse = (reason: string) => new InvalidRequestError(`continues: report ${reportId} ${reason}`);
  if (summary.slot !== former.slot || summary.instance !== former.instance) {
    throw refuse(`is against ${summary.instance ?? `the archive of ${summary.slot}`}: give the same`);
  }
  const columns = tables.map((table) => [nameOf(table), table.columns.map(({ name }) => name)]);
  if (
    !isDeepStrictEqual(
      columns,
      summary.tables.map((table) => [nameOf(table), table.columns]),
    )
  ) {
    throw refuse(
      `is of other tables or columns: give ${summary.tables.map(nameOf).join(', ')}, or begin again when these have changed`,
    );
  }
  if (
    !isDeepStrictEqual(
      summary.where,
      where.map((condition) => ({ ...condition })),
    )
  ) {
    throw refuse('has other conditions: give the same');
  }
  if (summary.erasures !== erased) throw refuse('was made before an erasure had ended: begin again once it has');
  if (summary.next === null) throw refuse('is complete: there is nothing to continue');
  return summary;
}
