import type { RowRecoveryMergeReport, RowRecoveryReport, RowRecoveryRequest } from './contract';
import { mergeRows, type MergeDependencies } from './merge';
import { reportRows, type ReportDependencies } from './report';

export type RowRecoveryDependencies = ReportDependencies & MergeDependencies;

/**
 * Reports the rows that were lost since an archive, or merges chosen rows of such a report back.
 *
 * @throws InvalidRequestError and OperationError as {@link reportRows} and {@link mergeRows} describe
 */
export async function recoverRows(
  dependencies: RowRecoveryDependencies,
  request: RowRecoveryRequest,
): Promise<RowRecoveryReport | RowRecoveryMergeReport> {
  return request.action === 'report' ? reportRows(dependencies, request) : mergeRows(dependencies, request);
}
