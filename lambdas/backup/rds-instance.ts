import type { RDSClient } from '@aws-sdk/client-rds';
import { messageOf, OperationError } from '../../core/runtime/errors';

/** The RDS instance behind a database. */
export interface RdsInstance {
  readonly rds: RDSClient;
  readonly identifier: string;
}

/** A call to RDS that failed after the SDK's own retries. */
export function rdsFailed(what: string, cause: unknown): OperationError {
  return new OperationError(
    'rds_unavailable',
    `RDS cannot ${what}: ${messageOf(cause)}. Try again; where a permission is missing, the role of the function has to have it`,
    { cause },
  );
}
