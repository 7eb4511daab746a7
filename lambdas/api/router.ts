import { OpenAPIHono, type Hook } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { LambdaContext, LambdaEvent } from 'hono/aws-lambda';
import type { Caller } from '../../core/keys/authenticate';
import type { ActionRequest } from './audited';
import { API_TIMEOUT_MS } from './contract';
import { fieldProblems, invalidRequest } from './problem';

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
  const problems = fieldProblems(result.error.issues, PARTS[result.target] ?? result.target);
  throw invalidRequest(problems);
};

/** Who asks for an action, and how long the answer may take. */
export function actionRequest(context: Context<ApiContext>): ActionRequest {
  return {
    caller: context.get('caller'),
    remainingMs: () => context.env.lambdaContext?.getRemainingTimeInMillis() ?? API_TIMEOUT_MS,
  };
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** Of a route that reads a body. Without it, the router takes a body of another type for an empty object. */
export const requireJson: MiddlewareHandler<ApiContext> = async (context, next) => {
  if (!JSON_TYPE.test(context.req.header('content-type') ?? '')) {
    throw invalidRequest([{ field: 'header.content-type', detail: 'expected application/json' }]);
  }
  await next();
};

/** A router whose routes refuse malformed requests with problem details. */
export function createRouter(): Router {
  return new OpenAPIHono<ApiContext>({ defaultHook: refuse });
}
