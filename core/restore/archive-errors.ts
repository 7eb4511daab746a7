import { DatabaseError } from 'pg';
import type { ArchivedPart } from '../archive/manifest';
import { unavailable } from '../archive/store';
import { OperationError } from '../runtime/errors';

/**
 * An object of the archive that is not what was written.
 *
 * @param difference what is different, such as `it has 10 bytes instead of 20`
 */
export function objectDamaged(part: ArchivedPart, difference: string, cause?: unknown): OperationError {
  return new OperationError(
    'archive_damaged',
    `Object ${part.key} of the archive is not what was written, ${difference}: restore another archive, or an earlier version of the object`,
    { cause },
  );
}

/** An archive that the schema of its own migrations cannot take. */
export function archiveContradictsSchema(contradiction: string): OperationError {
  return new OperationError(
    'archive_inconsistent',
    `${contradiction}: restore another archive, or add the missing migration`,
  );
}

/** The error of reading or loading an object, in terms of the archive. */
export function explainPartFailure(part: ArchivedPart, cause: unknown): unknown {
  if (cause instanceof OperationError) return cause;
  if (cause instanceof DatabaseError) {
    return new OperationError('archive_inconsistent', `PostgreSQL refuses the rows of ${part.key}: ${cause.message}`, {
      cause,
    });
  }
  if (cause instanceof Error && cause.name === 'AbortError') return cause;
  if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ZSTD_')) {
    return objectDamaged(part, `it cannot be decompressed (${cause.message})`, cause);
  }
  return unavailable(`read ${part.key}`, cause);
}
