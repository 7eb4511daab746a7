import type {
  BaseEnvironment,
  BillingDatabaseEnvironment,
  MainDatabaseEnvironment,
  OperationContract,
} from '../../core/contract';
import { restoreReport, restoreRequest } from '../../core/restore/contract';

export interface RestoreEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, MainDatabaseEnvironment {
  readonly ARCHIVE_BUCKET: string;
}

/** Restores an archive into a new database, and proves it. */
export const contract = {
  request: restoreRequest,
  report: restoreReport,
  effect: 'adds',
} as const satisfies OperationContract;

export const RESTORE_METRICS = {
  succeeded: 'RestoreSucceeded',
  failed: 'RestoreFailed',
  durationMs: 'RestoreDuration',
} as const;
