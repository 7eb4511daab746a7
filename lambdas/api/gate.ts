import type { MiddlewareHandler } from 'hono';
import { authenticate, hasProject, hasScope, type Caller } from '../../core/keys/authenticate';
import type { Scope } from '../../core/keys/contract';
import type { ApiRoute } from './contract';
import type { ApiDependencies } from './dependencies';
import { Problem, TOO_MANY_REQUESTS } from './problem';
import type { ApiContext } from './router';

const CHALLENGE = { 'www-authenticate': 'Bearer' };

/** A path of the table as Hono writes it: `:user` for `{user}`. */
export function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** Lets a request pass that the route's row of the table admits; before anything else of the request is looked at. */
export function gate({ access }: ApiRoute, dependencies: ApiDependencies): MiddlewareHandler<ApiContext> {
  return async (context, next) => {
    if (access !== 'public') {
      const caller = await identify(context.req.header('authorization'), addressOf(context.env.event), dependencies);
      await countRequest(caller, dependencies);
      if (!hasScope(caller, access)) throw forbidden(access);
      context.set('caller', caller);
    }
    context.set('decided', true);
    await next();
  };
}

/** The address that API Gateway saw; what a header says of it could be anything. */
function addressOf(event: ApiContext['Bindings']['event']): string {
  const context = event?.requestContext as { readonly identity?: { readonly sourceIp?: string } } | undefined;
  return context?.identity?.sourceIp ?? 'unknown';
}

async function identify(
  header: string | undefined,
  address: string,
  { database, keySecret, log }: ApiDependencies,
): Promise<Caller> {
  const key = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (key === undefined) {
    throw new Problem(401, 'unauthenticated', 'Send a key of the API as `Authorization: Bearer <key>`', {
      headers: CHALLENGE,
    });
  }
  const secret = await keySecret();
  const result = await database.use((client) => authenticate(client, { key, address, secret }));
  if (result.outcome === 'authenticated') return result.caller;
  // Never the key, nor a part of what might be one.
  log.warn('Rejected a key', result.outcome === 'throttled' ? { reason: 'throttled' } : { reason: result.reason });
  if (result.outcome === 'throttled') {
    throw new Problem(429, 'too_many_attempts', 'Too many requests with a wrong key came from this address; wait', {
      headers: { 'retry-after': String(result.retryAfterSeconds) },
    });
  }
  throw new Problem(401, 'unauthenticated', 'The key is unknown, expired or revoked', { headers: CHALLENGE });
}

async function countRequest({ keyId }: Caller, { requestLimit, log }: ApiDependencies): Promise<void> {
  const retryAfterSeconds = await requestLimit.count(keyId);
  if (retryAfterSeconds === undefined) return;
  log.warn('A key is above its limit', { keyId, retryAfterSeconds });
  throw new Problem(429, TOO_MANY_REQUESTS, 'The key has used up the requests of this minute; wait', {
    headers: { 'retry-after': String(retryAfterSeconds) },
  });
}

function forbidden(scope: Scope): Problem {
  return new Problem(403, 'forbidden', `The key lacks the scope \`${scope}\``);
}

/** @throws Problem 403 when the key is not for the project; the same whether or not the project exists */
export function requireProject(caller: Caller | undefined, projectId: string): void {
  if (caller === undefined || !hasProject(caller, projectId)) {
    throw new Problem(403, 'forbidden', 'The key is not for this project');
  }
}
