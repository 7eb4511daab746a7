import { problemSchema } from './problem';

/** A part of an answer of the OpenAPI document. */
export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

/** Answers of every route that needs a key. */
export const KEY_PROBLEMS = {
  401: problem('No key, or one that is unknown, expired or revoked.'),
  403: problem('The key lacks the scope, or is not for the project.'),
  429: problem('Too many requests of the key in this minute, or too many with a wrong key; see `Retry-After`.'),
} as const;

/** Answers of every route. */
export const SERVER_PROBLEMS = {
  500: problem('A fault of the platform; its log has the reason.'),
  503: problem('The database, or a service that the answer needs, is not available. Try again.'),
} as const;

/** Of a route that changes something. */
export const STILL_RUNNING = {
  504: problem('It outlasts the request and may still be running; look again in a minute.'),
} as const;

export const BAD_REQUEST = { 400: problem('The request is malformed; `errors` names each field.') } as const;

/** How a route asks for a key. */
export const SECURITY = [{ key: [] }];
