import type { ErrorCode } from '../../runtime/error-codes';
import { messageOf, OperationError } from '../../runtime/errors';
import type { ServerError } from './protocol';

interface Meaning {
  matches(error: ServerError): boolean;
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** What errors of the server mean to the caller; the first match counts. */
const MEANINGS: readonly Meaning[] = [
  {
    // An undefined object to newer servers, a bad value to others.
    matches: ({ message }) => /snapshot .* does not exist|invalid snapshot identifier/.test(message),
    code: 'snapshot_lost',
    sentence: 'The transaction that exported the snapshot has ended',
  },
  {
    matches: ({ code }) => code === '55P03',
    code: 'schema_changing',
    sentence: 'A table is being changed, by a migration perhaps: try again after it',
  },
  {
    // Listed, and then dropped: undefined by name, or missing where its id leads.
    matches: ({ code, message }) =>
      /^(?:42P01|42704|42883)$/.test(code) || /cache lookup failed|could not open relation/.test(message),
    code: 'schema_changing',
    sentence: 'An object was dropped while the schema was read: try again',
  },
  {
    matches: ({ code }) => code === '42501',
    code: 'privilege_missing',
    sentence: 'The role of the backup may not read the whole schema: grant it what is missing',
  },
  {
    // Connection lost, out of resources, shut down or cancelled.
    matches: ({ code }) => /^(?:08|53|57)/.test(code),
    code: 'database_unavailable',
    sentence: 'The server ended the dump of the schema',
  },
  { matches: () => true, code: 'schema_dump_failed', sentence: 'pg_dump failed' },
];

/**
 * The error behind a failure of pg_dump: what the server said, where it said anything.
 *
 * @param failure what was thrown; returned as it is when it has nothing to do with pg_dump, such as an abort
 * @param session the errors that the server and the connection reported
 */
export function dumpError(
  failure: unknown,
  session: { readonly serverError: ServerError | undefined; readonly connectionError: Error | undefined },
): unknown {
  const { serverError: error, connectionError } = session;
  const options = { cause: failure };
  const meaning = error && MEANINGS.find((one) => one.matches(error));
  if (meaning) {
    return new OperationError(meaning.code, `${meaning.sentence}: ${error.message} (SQLSTATE ${error.code})`, options);
  }
  if (connectionError !== undefined && connectionError === failure) {
    return new OperationError(
      'database_unavailable',
      `The connection of pg_dump was lost: ${messageOf(failure)}`,
      options,
    );
  }
  return failure instanceof Error && failure.message.startsWith('pg_dump failed')
    ? new OperationError('schema_dump_failed', failure.message, options)
    : failure;
}
