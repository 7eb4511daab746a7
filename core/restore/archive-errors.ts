import { isNativeError } from 'node:util/types';
import { DatabaseError } from 'pg';
import type { ArchivedObject } from '../archive/manifest';
import { unavailable } from '../archive/store';
import { OperationError } from '../runtime/errors';

/**
 * An object of the archive that is not what was written.
 *
 * @param difference what is different, such as `it has 10 bytes instead of 20`
 */
export function objectDamaged(part: ArchivedObject, difference: string, cause?: unknown): OperationError {
  return new OperationError(
    'archive_damaged',
    `Object ${part.key} of the archive is not what was written, ${difference}: restore another archive, or an earlier version of the object`,
    { cause },
  );
}

/** An archive whose rows are not those that its schema takes. */
export function archiveContradictsSchema(contradiction: string): OperationError {
  return new OperationError('archive_inconsistent', `${contradiction}: restore another archive`);
}

const DISK_FULL = '53100';
/** Classes of SQLSTATE of a connection that was lost, or of a server that is shut down or out of resources. */
const UNAVAILABLE = /^(?:08|53|57)/;

/**
 * The error of a server that does not take what is loaded into it.
 *
 * @param what it was given, such as `the rows of public.orders`
 */
export function explainLoadFailure(cause: DatabaseError, what: string): OperationError {
  const { code = '', message } = cause;
  if (code === DISK_FULL) {
    return new OperationError(
      'disk_full',
      `The disk of the server has no room for ${what}: enlarge it, or drop what is no longer needed (${message})`,
      { cause },
    );
  }
  return UNAVAILABLE.test(code)
    ? new OperationError('database_unavailable', `The server ended the loading of ${what}: ${message}`, { cause })
    : new OperationError('archive_inconsistent', `PostgreSQL refuses ${what}: ${message}`, { cause });
}

/** The error of reading or loading an object, in terms of the archive. */
export function explainPartFailure(part: ArchivedObject, cause: unknown): unknown {
  if (cause instanceof OperationError) return cause;
  if (cause instanceof DatabaseError) return explainLoadFailure(cause, `the rows of ${part.key}`);
  if (isNativeError(cause) && cause.name === 'AbortError') return cause;
  if (isNativeError(cause) && 'code' in cause && String(cause.code).startsWith('ZSTD_')) {
    return objectDamaged(part, `it cannot be decompressed (${cause.message})`, cause);
  }
  return unavailable(`read ${part.key}`, cause);
}
