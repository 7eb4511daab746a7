import type { Context } from 'hono';
import { DatabaseError } from 'pg';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { HTTPException } from 'hono/http-exception';
import * as z from 'zod';
import { isLockTimeout } from '../../core/database/lock-timeout';
import { ConnectionLostError } from '../../core/database/reusable-connection';
import { ERROR_CODES, type ErrorCode } from '../../core/runtime/error-codes';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { Log } from '../../core/runtime/telemetry';
import type { ApiProblemCode } from './contract';

/** SQLSTATE of a statement that ran into the timeout of its session. */
const STATEMENT_CANCELED = '57014';

/** SQLSTATEs of connections that end, of shutdowns and failovers, of too many connections, and of a server in recovery. */
const UNAVAILABLE = /^(08...|57P..|53300|25006)$/;

/** Code of an answer to a key that has used up its minute: the key is right. */
export const TOO_MANY_REQUESTS = 'too_many_requests';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** A malformed field of a request. */
export interface FieldProblem {
  /** Where it stands: `query.from`, `path.user`, `body.events.0`. */
  readonly field: string;
  /** The form that it should have. Never the value. */
  readonly detail: string;
}

/** An answer other than success, as RFC 9457 has it. Nothing in it repeats what the caller sent. */
export class Problem extends Error {
  constructor(
    readonly status: ContentfulStatusCode,
    readonly code: ApiProblemCode | ErrorCode,
    readonly detail: string,
    readonly options: { readonly errors?: readonly FieldProblem[]; readonly headers?: Record<string, string> } = {},
  ) {
    super(detail);
  }
}

/** Form of a problem in the OpenAPI document. */
export const problemSchema = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int().optional().describe('As that of the response; some answers of API Gateway have none.'),
    code: z.string().describe('For programs; stable.'),
    detail: z.string().describe('For people: what is wrong, and the fix.'),
    errors: z
      .array(z.strictObject({ field: z.string(), detail: z.string() }))
      .optional()
      .describe('Each malformed field, with the form that it should have.'),
  })
  .meta({ id: 'Problem', description: 'What went wrong, as RFC 9457 has it.' });

/** What is answered of a problem. */
export function problemBody({ status, code, detail, options }: Problem): z.infer<typeof problemSchema> {
  const errors = options.errors === undefined ? {} : { errors: [...options.errors] };
  return { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail, ...errors };
}

/** The answer of a problem. */
export function problemResponse(context: Context, problem: Problem): Response {
  return context.body(JSON.stringify(problemBody(problem)), problem.status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...problem.options.headers,
  });
}

/**
 * Whether the database ended the connection, has no room for another, or is in recovery and takes no writes: it comes back
 * without a change of the request.
 */
function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseError) return UNAVAILABLE.test(error.code ?? '');
  if (error instanceof ConnectionLostError) return true;
  // The driver's, for a connection that was closed because the database did not answer.
  return error instanceof Error && error.message.startsWith('Connection terminated');
}

/** What the caller is told of an error. Messages name hosts and tables: those are for the log. */
export function asProblem(error: unknown, log: Log): Problem {
  if (error instanceof Problem) return error;
  // The router's, of a body that it cannot parse.
  if (error instanceof HTTPException && error.status === 400) {
    return invalidRequest([{ field: 'body', detail: 'expected JSON' }]);
  }
  if (error instanceof DatabaseError && error.code === STATEMENT_CANCELED) {
    log.warn('A statement took too long', { reason: error.message });
    return new Problem(503, 'database_slow', 'The database took too long; try again, or with a shorter range');
  }
  if (isLockTimeout(error)) {
    log.warn('Another session kept a lock for too long', { reason: messageOf(error) });
    return new Problem(503, 'database_busy', ERROR_CODES.database_busy.meaning);
  }
  if (isUnavailable(error)) {
    log.warn('The database broke off', { reason: messageOf(error) });
    return new Problem(503, 'database_unavailable', 'The database is not available; try again');
  }
  const code = error instanceof OperationError ? error.code : 'unexpected';
  const { httpStatus, meaning } = ERROR_CODES[code];
  const details = { code, reason: messageOf(error) };
  log.error(
    'A request failed',
    code === 'unexpected' && error instanceof Error ? { ...details, stack: error.stack } : details,
  );
  return new Problem(httpStatus as ContentfulStatusCode, code, meaning);
}

/** What zod found, the first problem of each field. Schemas have messages of their own, which repeat nothing that was sent. */
export function fieldProblems(issues: readonly z.core.$ZodIssue[], part: string): readonly FieldProblem[] {
  const problems = issues.map(({ path, message, code }) => ({
    field: [part, ...path.map(String)].join('.'),
    // Zod's own sentence repeats the name that was sent.
    detail:
      code === 'unrecognized_keys' && message.startsWith('Unrecognized') ? 'has a field that is not known' : message,
  }));
  return [...new Map(problems.toReversed().map((problem) => [problem.field, problem])).values()].toReversed();
}

/** @returns the problem of a request whose fields are malformed */
export function invalidRequest(errors: readonly FieldProblem[]): Problem {
  const fields = errors.map(({ field }) => `\`${field}\``).join(', ');
  return new Problem(400, 'invalid_request', `The request is malformed: correct ${fields}`, { errors });
}
