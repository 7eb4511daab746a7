import { OpenAPIHono, type Hook } from '@hono/zod-openapi';
import type { LambdaContext, LambdaEvent } from 'hono/aws-lambda';
import type { Caller } from '../../core/keys/authenticate';
import { invalidRequest } from './problem';

/** What handlers find in Hono's context. */
export interface ApiContext {
  Variables: {
    /** Whose key it is; undefined on a public route. */
    caller: Caller | undefined;
    /** Set once the table of routes has decided who may call. */
    decided: boolean;
  };
  Bindings: { readonly event?: LambdaEvent; readonly lambdaContext?: LambdaContext };
}

export type Router = OpenAPIHono<ApiContext>;

const PARTS: Readonly<Record<string, string>> = { param: 'path', query: 'query', json: 'body', header: 'header' };

const refuse: Hook<unknown, ApiContext, string, unknown> = (result) => {
  if (result.success) return;
  throw invalidRequest(
    result.error.issues.map(({ path, message, code, ...issue }) => ({
      // An unknown field is named: it is a name that the caller chose, and is cut short.
      field: [PARTS[result.target] ?? result.target, ...path.map(String)].join('.'),
      detail: code === 'unrecognized_keys' && 'keys' in issue ? 'holds a field that is not known' : message,
    })),
  );
};

/** A router whose routes refuse malformed requests with problem details. */
export function createRouter(): Router {
  return new OpenAPIHono<ApiContext>({ defaultHook: refuse });
}
