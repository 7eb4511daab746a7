import type * as z from 'zod';
import { ERROR_CODES } from '../../core/runtime/error-codes';
import { API_PROBLEMS, type ApiProblemCode } from './contract';
import { invalidRequest, Problem, problemBody, problemSchema } from './problem';

/** An answer of the OpenAPI document other than success, with an example of it. */
export const problem = (description: string, example: Problem) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema, example: problemBody(example) } },
});

/** A problem of the API's own codes, as an example. */
export const problemOf = (code: ApiProblemCode, detail: string = API_PROBLEMS[code].meaning): Problem =>
  new Problem(API_PROBLEMS[code].status, code, detail);

/** A successful answer of the OpenAPI document, with an example of it. */
export const json = <Schema extends z.ZodType>(description: string, schema: Schema, example: z.input<Schema>) => ({
  description,
  content: { 'application/json': { schema, example } },
});

/** Answers of every route that needs a key. */
export const KEY_PROBLEMS = {
  401: problem(
    'No key, or one that is unknown, expired or revoked.',
    problemOf('unauthenticated', 'The key is unknown, expired or revoked'),
  ),
  403: problem(
    'The key lacks the scope, or is not for the project.',
    problemOf('forbidden', 'The key is not for this project'),
  ),
  429: problem(
    'Too many requests of the key in this minute, too many of the route in this second, or too many with a wrong key; see `Retry-After`.',
    problemOf('too_many_requests', 'The key has used up the requests of this minute; wait'),
  ),
} as const;

/** Answers of every route. */
export const SERVER_PROBLEMS = {
  500: problem(
    'A fault of the platform; its log has the reason.',
    new Problem(500, 'unexpected', ERROR_CODES.unexpected.meaning),
  ),
  503: problem(
    'The database, or a service that the answer needs, is not available. Try again.',
    new Problem(503, 'database_unavailable', 'The database is not available; try again'),
  ),
} as const;

/** Of a route that changes something. */
export const STILL_RUNNING = {
  504: problem('It outlasts the request and may still be running; look again in a minute.', problemOf('still_running')),
} as const;

/** Of a route with fields. */
export const BAD_REQUEST = {
  400: problem(
    'The request is malformed; `errors` names each field.',
    invalidRequest([
      { field: 'path.user', detail: 'expected the id of a user: 1 to 500 bytes, none of them a control character' },
    ]),
  ),
} as const;

/** Of every route but those of GET. */
export const BODY_PROBLEMS = {
  413: problem('The body has more than 64 KiB.', problemOf('payload_too_large')),
} as const;

/** How a route asks for a key. */
export const SECURITY = [{ key: [] }];
