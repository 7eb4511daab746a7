import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, requestUrl, startHttpServer } from '../runtime/http-server';
import { endpointsOf } from './endpoints';
import { StripeRefusal } from './listing';
import { API_VERSION, newId } from './objects';
import { PAYOUTS_PATH, type PayoutRequest } from './payouts';
import { StripeState } from './state';

const MAX_FORM_BYTES = 100_000;

/** A request that was answered, for tests that look at pacing and paging. */
export interface RecordedRequest {
  readonly path: string;
  readonly query: string;
  /** Header `Idempotency-Key`. */
  readonly idempotencyKey: string | undefined;
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** A stateful stand-in for the Stripe API, on loopback. Strict where Stripe is: an unknown parameter is refused. */
export interface StripeStandIn {
  readonly url: string;
  readonly port: number;
  /** The objects at Stripe; tests and the visible pass make changes here. */
  readonly state: StripeState;
  readonly requests: readonly RecordedRequest[];
  /**
   * Answers the next `times` requests with 429 (rate limit) or 500 instead of serving them.
   *
   * @param retryAfterSeconds sent as `Retry-After`. @default no header, as mostly at Stripe
   */
  failNext(times: number, status: 429 | 500, retryAfterSeconds?: number): void;
  /** Answers no request from now on, until released. */
  hold(): HeldRequests;
  /** Takes these keys from now on, and no other: several while one is rolled. */
  acceptKeys(...apiKeys: readonly string[]): void;
  stop(): Promise<void>;
}

export interface HeldRequests {
  /** Requests that arrived since. */
  arrived(): number;
  /** Answers them, and later ones at once. */
  release(): void;
}

function authorise(request: IncomingMessage, accepted: readonly string[] | undefined): void {
  const [scheme, credentials = ''] = (request.headers.authorization ?? '').split(' ');
  const key = scheme === 'Basic' ? Buffer.from(credentials, 'base64').toString().split(':')[0] : credentials;
  if (!key) {
    throw new StripeRefusal(401, 'You did not provide an API key.');
  }
  if (!/^(sk|rk)_/.test(key) || accepted?.includes(key) === false) {
    throw new StripeRefusal(401, `Invalid API Key provided: ${key.slice(0, 7)}***`);
  }
}

function payoutRequest({ method = '', headers }: IncomingMessage, url: URL, body: URLSearchParams): PayoutRequest {
  const { 'stripe-account': account, 'idempotency-key': idempotencyKey } = headers as Record<
    string,
    string | undefined
  >;
  return { method, path: url.pathname, query: url.searchParams, body, account, idempotencyKey };
}

function failureResponse({
  status,
  retryAfterSeconds,
}: {
  status: 429 | 500;
  retryAfterSeconds?: number;
}): StripeRefusal {
  const [message, details] =
    status === 429
      ? ['Request rate limit exceeded.', { code: 'rate_limit' }]
      : ['An unknown error occurred.', { type: 'api_error' }];
  return new StripeRefusal(status, message, details, retryAfterSeconds);
}

function refusalOf(error: unknown): StripeRefusal {
  if (error instanceof StripeRefusal) return error;
  return new StripeRefusal(500, error instanceof Error ? error.message : String(error), { type: 'api_error' });
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  retryAfterSeconds?: number,
): void {
  response.writeHead(status, {
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    'content-type': 'application/json',
    'request-id': newId('req'),
    'stripe-version': request.headers['stripe-version'] ?? API_VERSION,
  });
  response.end(JSON.stringify(body));
}

/**
 * Starts the stand-in.
 *
 * @param options.apiKey the only key that is accepted. @default any `sk_…` or `rk_…`
 * @param options.now seconds since 1970: which events are too old to be listed. @default the real time
 */
export async function startStripeStandIn(
  options: { readonly apiKey?: string; readonly now?: () => number } = {},
): Promise<StripeStandIn> {
  const state = new StripeState(options.now);
  const endpoints = endpointsOf(state);
  const requests: RecordedRequest[] = [];
  const failures: { status: 429 | 500; retryAfterSeconds?: number }[] = [];
  let held: Promise<void> | undefined;
  let arrived = 0;
  let accepted: readonly string[] | undefined = options.apiKey === undefined ? undefined : [options.apiKey];

  const answer = (request: IncomingMessage, url: URL, body: URLSearchParams): object => {
    authorise(request, accepted);
    const failure = failures.shift();
    if (failure !== undefined) throw failureResponse(failure);
    if (url.pathname.startsWith(PAYOUTS_PATH)) return state.payouts.answer(payoutRequest(request, url, body));
    const collection = endpoints.get(url.pathname);
    if (request.method === 'GET' && collection !== undefined) {
      return collection(url.pathname, undefined, url.searchParams);
    }
    const cut = url.pathname.lastIndexOf('/');
    const single = endpoints.get(url.pathname.slice(0, cut));
    if (request.method === 'GET' && single !== undefined) {
      return single(url.pathname, decodeURIComponent(url.pathname.slice(cut + 1)), url.searchParams);
    }
    const [, version, resource, id, nested] = url.pathname.split('/');
    const part = endpoints.get(`/${version}/${resource}/*/${nested}`);
    if (request.method === 'GET' && part !== undefined) return part(url.pathname, id, url.searchParams);
    throw new StripeRefusal(404, `Unrecognized request URL (${request.method}: ${url.pathname}).`);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = requestUrl(request);
    const record = (status: number): void => {
      const idempotencyKey = request.headers['idempotency-key'] as string | undefined;
      requests.push({
        path: url?.pathname ?? '',
        query: url?.search ?? '',
        idempotencyKey,
        status,
        atMs: Date.now(),
      });
    };
    arrived += 1;
    await held;
    try {
      if (url === undefined) throw new StripeRefusal(400, 'Malformed request URL.');
      const form = new URLSearchParams((await readBody(request, MAX_FORM_BYTES))?.toString());
      const body = answer(request, url, form);
      record(200);
      send(request, response, 200, body);
    } catch (error) {
      const { status, message, details, retryAfterSeconds } = refusalOf(error);
      record(status);
      const body = { error: { type: 'invalid_request_error', message, ...details } };
      send(request, response, status, body, retryAfterSeconds);
    }
  };

  const { url, port, stop } = await startHttpServer(handle);
  return {
    url,
    port,
    state,
    requests,
    failNext(times, status, retryAfterSeconds) {
      for (let count = 0; count < times; count += 1) failures.push({ status, retryAfterSeconds });
    },
    hold() {
      const before = arrived;
      let release: () => void = () => undefined;
      held = new Promise((resolve) => (release = resolve));
      return { arrived: () => arrived - before, release };
    },
    acceptKeys(...apiKeys) {
      accepted = apiKeys;
    },
    stop,
  };
}
