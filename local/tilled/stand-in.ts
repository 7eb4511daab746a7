import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { requestUrl, startHttpServer } from '../runtime/http-server';

/** An event as Tilled sends and lists it. */
export interface SentEvent {
  readonly id: string;
  readonly account_id: string;
  readonly type: string;
  /** ISO 8601. */
  readonly created_at: string;
  readonly data: object;
}

/** A request that was answered. */
export interface TilledRequest {
  readonly path: string;
  readonly account: string | undefined;
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** A stateful stand-in for Tilled's events, on loopback. Strict where Tilled is: key, account, parameters. */
export interface TilledStandIn {
  readonly url: string;
  readonly requests: readonly TilledRequest[];
  /** Something happened in the account that the event names: it is listed from now on. */
  record(...events: readonly SentEvent[]): void;
  /**
   * Delivers an event that is listed to an endpoint, signed as Tilled signs.
   *
   * @returns the status of the answer
   */
  deliver(id: string, endpoint: string, secret: string): Promise<number>;
  /**
   * Sends an event that Tilled never made, and does not list it.
   *
   * @returns the status of the answer
   */
  forge(event: SentEvent, endpoint: string, secret: string): Promise<number>;
  /**
   * Answers the next `times` requests with a failure instead of serving them.
   *
   * @param retryAfterSeconds sent as `Retry-After`. @default no header
   */
  failNext(times: number, status: 429 | 500, retryAfterSeconds?: number): void;
  /** Takes these keys from now on, and no other. */
  acceptKeys(...apiKeys: readonly string[]): void;
  stop(): Promise<void>;
}

const PARAMETERS = new Set(['created_at_gte', 'created_at_lte', 'types', 'object_id', 'offset', 'limit']);
const DEFAULT_LIMIT = 30;

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** Header `tilled-signature` of a delivery at a moment in milliseconds since 1970. */
export function signatureOf(body: string, secret: string, ms: number): string {
  return `t=${ms},v1=${createHmac('sha256', secret).update(`${ms}.${body}`).digest('hex')}`;
}

/**
 * Starts the stand-in.
 *
 * @param options.apiKey the only key that is accepted at first
 * @param options.maxLimit events of one page at most; a larger `limit` is cut to it, as Tilled does. @default 100
 */
export async function startTilledStandIn(options: {
  readonly apiKey: string;
  readonly maxLimit?: number;
}): Promise<TilledStandIn> {
  const events: SentEvent[] = [];
  const requests: TilledRequest[] = [];
  const failures: Refusal[] = [];
  let accepted: readonly string[] = [options.apiKey];
  const { url, stop } = await startHttpServer((request, response) => {
    const failure = failures.shift();
    return Promise.resolve(
      handle(request, response, { events, requests, failure, accepted, maxLimit: 100, ...options }),
    );
  });
  return {
    url,
    requests,
    record: (...added) => void events.push(...added),
    async deliver(id, endpoint, secret) {
      const event = events.find((each) => each.id === id);
      if (event === undefined) throw new Error(`There is no event ${id}: record it first`);
      return send(event, endpoint, secret);
    },
    forge: send,
    acceptKeys: (...apiKeys) => {
      accepted = apiKeys;
    },
    failNext(times, status, retryAfterSeconds) {
      for (let count = 0; count < times; count += 1)
        failures.push(new Refusal(status, 'Try again later', retryAfterSeconds));
    },
    stop,
  };
}

async function send(event: SentEvent, endpoint: string, secret: string): Promise<number> {
  const body = JSON.stringify(event);
  const headers = { 'content-type': 'application/json', 'tilled-signature': signatureOf(body, secret, Date.now()) };
  return (await fetch(endpoint, { method: 'POST', headers, body })).status;
}

interface Served {
  readonly events: readonly SentEvent[];
  readonly requests: TilledRequest[];
  readonly failure: Refusal | undefined;
  readonly accepted: readonly string[];
  readonly maxLimit: number;
}

function handle(request: IncomingMessage, response: ServerResponse, served: Served): void {
  const account = request.headers['tilled-account'] as string | undefined;
  const answer = (status: number, body: object, headers: Record<string, string> = {}): void => {
    served.requests.push({ path: request.url ?? '', account, status, atMs: Date.now() });
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
  try {
    if (!served.accepted.includes(String(request.headers['tilled-api-key']))) throw new Refusal(401, 'Invalid API key');
    if (account === undefined) throw new Refusal(400, 'tilled-account header is required');
    if (served.failure !== undefined) throw served.failure;
    answer(200, bodyOf(request, account, served));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, message, retryAfterSeconds } = error;
    answer(
      status,
      { statusCode: status, message },
      retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
    );
  }
}

function bodyOf(request: IncomingMessage, account: string, { events, maxLimit }: Served): object {
  const url = requestUrl(request);
  const own = events.filter(({ account_id }) => account_id === account);
  const [, id] = /^\/v1\/events\/([^/]+)$/.exec(url?.pathname ?? '') ?? [];
  if (id !== undefined) {
    const found = own.find((event) => event.id === decodeURIComponent(id));
    if (found === undefined) throw new Refusal(404, 'Event not found');
    return found;
  }
  if (request.method !== 'GET' || url?.pathname !== '/v1/events') throw new Refusal(404, 'Cannot find this path');
  return listOf(own, url.searchParams, maxLimit);
}

/** Newest first. */
function listOf(own: readonly SentEvent[], query: URLSearchParams, maxLimit: number): object {
  const unknown = [...query.keys()].find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined) throw new Refusal(400, `property ${unknown} should not exist`);
  const time = (name: string, fallback: number): number => {
    const text = query.get(name);
    const ms = text === null ? fallback : Date.parse(text);
    if (Number.isNaN(ms)) throw new Refusal(400, `${name} must be a valid ISO 8601 date string`);
    return ms;
  };
  const [from, to] = [time('created_at_gte', 0), time('created_at_lte', Number.POSITIVE_INFINITY)];
  const offset = Number(query.get('offset') ?? 0);
  const limit = Math.min(Number(query.get('limit') ?? DEFAULT_LIMIT), maxLimit);
  const types = query.getAll('types');
  const matching = own
    .filter((event) => types.length === 0 || types.includes(event.type))
    .filter(({ created_at }) => Date.parse(created_at) >= from && Date.parse(created_at) <= to)
    .toSorted((one, other) => Date.parse(other.created_at) - Date.parse(one.created_at));
  return {
    items: matching.slice(offset, offset + limit),
    limit,
    offset,
    total: matching.length,
    has_more: offset + limit < matching.length,
  };
}
