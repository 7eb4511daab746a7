import { DatabaseError } from 'pg';
import type { ArchivedPart } from '../archive/manifest';
import { unavailable } from '../archive/store';
import { OperationError } from '../runtime/errors';

export function damaged(part: ArchivedPart, what: string, cause?: unknown): OperationError {
  return new OperationError(
    'archive_damaged',
    `Object ${part.key} of the archive is not what was written, ${what}: restore another archive, or an earlier version of the object`,
    { cause },
  );
}

/** What went wrong while an object was read or loaded, in terms of the archive. */
export function explain(part: ArchivedPart, cause: unknown): unknown {
  if (cause instanceof OperationError) return cause;
  if (cause instanceof DatabaseError) {
    return new OperationError('archive_inconsistent', `The rows of ${part.key} are refused: ${cause.message}`, {
      cause,
    });
  }
  if (cause instanceof Error && cause.name === 'AbortError') return cause;
  if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ZSTD_')) {
    return damaged(part, `it cannot be decompressed (${cause.message})`, cause);
  }
  return unavailable(`read ${part.key}`, cause);
}
