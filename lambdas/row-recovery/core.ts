import { checkTables } from './check';
import type {
  RowRecoveryCheckReport,
  RowRecoveryMergeReport,
  RowRecoveryReport,
  RowRecoveryRequest,
  RowRecoveryShowReport,
} from './contract';
import { mergeRows, type MergeDependencies } from './merge';
import { showRows } from './show';
import { reportRows, type ReportDependencies } from './report';

export type RowRecoveryDependencies = ReportDependencies & MergeDependencies;

/**
 * Reports the rows that were lost since an archive or a moment, checks whether it could, or merges chosen rows of such a report back, or lists its rows.
 *
 * @throws InvalidRequestError and OperationError as {@link reportRows} and {@link mergeRows} describe
 */
export async function recoverRows(
  dependencies: RowRecoveryDependencies,
  request: RowRecoveryRequest,
): Promise<RowRecoveryReport | RowRecoveryMergeReport | RowRecoveryShowReport | RowRecoveryCheckReport> {
  switch (request.action) {
    case 'show':
      return showRows(dependencies.store, dependencies.connector.target.name, request);
    case 'check':
      return checkTables(dependencies.connector, request);
    case 'report':
      return reportRows(dependencies, request);
    default:
      return mergeRows(dependencies, request);
  }
}
