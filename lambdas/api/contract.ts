import type { CacheEnvironment } from '../../core/cache/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';
import type { ApiKeyEnvironment, Scope } from '../../core/keys/contract';
import type { BitcoinEnvironment } from '../../core/providers/bitcoin/contract';

export interface ApiEnvironment
  extends
    BaseEnvironment,
    BillingDatabaseEnvironment,
    CacheEnvironment,
    ApiKeyEnvironment,
    Partial<BitcoinEnvironment> {
  /** `true` where the environment sends itself canary events, whose arrival is a job then. */
  readonly CANARY: string;
  /** `true` where the environment takes the webhooks of Tilled beside Stripe's. */
  readonly TILLED: string;
  /** Requests that a key has in a minute. */
  readonly REQUESTS_PER_MINUTE: string;
  /** Functions that answer what the API does not look up itself, by the same requests as `ops`: each with its alias `api`. */
  readonly AUDIT_FUNCTION_NAME: string;
  readonly ENTITLEMENTS_FUNCTION_NAME: string;
  readonly INSPECT_FUNCTION_NAME: string;
  readonly REPLAY_FUNCTION_NAME: string;
}

/** Who may call a route: anybody, or a key with the scope. */
export type Access = 'public' | Scope;

/** One route of the API. */
export interface ApiRoute {
  readonly method: 'GET' | 'POST';
  /** As API Gateway and OpenAPI write it, such as `/api/v1/entitlements/{user}`. */
  readonly path: string;
  readonly access: Access;
  /**
   * Requests a second that API Gateway admits, with as many at once. Lower answers 429 to genuine callers; higher lets one
   * route use up the function's instances.
   */
  readonly perSecond: number;
  /** Whether HEAD is answered, too: load balancers and uptime checkers probe with it. @default false */
  readonly isProbe?: true;
}

const probe = (path: string): ApiRoute => ({ method: 'GET', path, access: 'public', perSecond: 50, isProbe: true });

/** As long as API Gateway waits for an answer. */
export const API_TIMEOUT_MS = 29_000;

/**
 * Every route of the API but those of the page, with who may call it. A route that is in neither table does not exist: the
 * application answers 404 before a handler runs, and API Gateway has no method for it.
 */
export const API_ROUTES: readonly ApiRoute[] = [
  probe('/health'),
  probe('/healthz'),
  probe('/live'),
  probe('/ready'),
  probe('/health/db'),
  probe('/health/jobs'),
  probe('/api/health'),
  { method: 'GET', path: '/api/openapi.json', access: 'public', perSecond: 10 },
  { method: 'GET', path: '/api/v1/entitlements/{user}', access: 'entitlements:read', perSecond: 500 },
  { method: 'POST', path: '/api/v1/entitlements/{user}/recompute', access: 'admin', perSecond: 5 },
  { method: 'GET', path: '/api/v1/metrics/project/{id}/subscriptions', access: 'metrics:read', perSecond: 2 },
  { method: 'GET', path: '/api/v1/metrics/project/{id}/revenue', access: 'metrics:read', perSecond: 2 },
  { method: 'GET', path: '/metrics', access: 'metrics:read', perSecond: 5 },
];

/** The routes of an environment that takes payments in bitcoin, beside {@link API_ROUTES}. */
export const BITCOIN_ROUTES: readonly ApiRoute[] = [
  { method: 'POST', path: '/api/v1/bitcoin/payments', access: 'bitcoin:write', perSecond: 50 },
  { method: 'GET', path: '/api/v1/bitcoin/payments/{id}', access: 'bitcoin:write', perSecond: 100 },
];

/** Codes of problems that the API itself, or API Gateway before it, answers, besides those of the platform's errors. */
export const API_PROBLEMS = {
  unauthenticated: { status: 401, meaning: 'No key, or one that is unknown, expired or revoked.' },
  forbidden: { status: 403, meaning: 'The key lacks the scope, or is not for the project, which may or may not be.' },
  not_found: { status: 404, meaning: 'There is no such route.' },
  conflict: { status: 409, meaning: 'What is asked for contradicts what is stored; `detail` says what.' },
  payload_too_large: { status: 413, meaning: 'The body has more than 64 KiB.' },
  throttled: {
    status: 429,
    meaning: 'The route is above its requests per second; try again after `Retry-After`.',
  },
  blocked: { status: 403, meaning: 'The firewall refuses the request, or too many came from its address.' },
  refused: { status: 400, meaning: 'API Gateway rejected the request as malformed; see the HTTP status.' },
  not_answered: { status: 502, meaning: 'No function answered; try again.' },
  too_many_attempts: {
    status: 429,
    meaning: 'Too many requests with a wrong key came from this address; `Retry-After` says when it is heard again.',
  },
  too_many_requests: {
    status: 429,
    meaning: 'The key has used up the requests of its minute; `Retry-After` says when it has new ones.',
  },
  busy: { status: 503, meaning: 'The function that does this is at work for others; try again.' },
  database_slow: { status: 503, meaning: 'The database took more than 10 s; try again, or with a shorter range.' },
  still_running: {
    status: 504,
    meaning: 'What was asked for outlasts the request and may still be running; look again in a minute.',
  },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly meaning: string }>>;
export type ApiProblemCode = keyof typeof API_PROBLEMS;

/** Largest accepted body, in bytes: requests hold ids. */
export const MAX_BODY_BYTES = 64 * 1024;

export const API_METRICS = {
  /** Requests that were answered, but for those of `/health` and the like. */
  requests: 'ApiRequests',
  /** Requests answered 401, or 429 after too many wrong keys. */
  rejected: 'ApiKeysRejected',
  /** Requests answered 500 or 503. */
  failed: 'ApiFailed',
} as const;
