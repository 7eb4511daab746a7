import { Agent, request } from 'node:http';
import StripeClient, { type Stripe } from 'stripe';
import { nowSeconds } from './objects';

/** How the endpoint answered a delivery. */
export interface DeliveryResult {
  readonly status: number;
  readonly body: string;
  readonly durationMs: number;
}

export interface DeliveryOptions {
  /** Address of the endpoint. */
  readonly url: string;
  /** Signing secret, `whsec_…`; several while Stripe rolls one and signs with each. */
  readonly secret: string | readonly string[];
  /** Time in the signature, in seconds since 1970. @default now */
  readonly timestamp?: number;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** Signs a body as Stripe does, with the official library; returns the value of the `Stripe-Signature` header. */
export function sign(body: string, secret: string, timestamp: number = nowSeconds()): string {
  return StripeClient.webhooks.generateTestHeaderString({ payload: body, secret, timestamp });
}

/** One header with the signature of each secret. */
function signAll(body: string, secrets: string | readonly string[], timestamp: number | undefined): string {
  const [first = '', ...others] = [secrets].flat().map((secret) => sign(body, secret, timestamp));
  return [first, ...others.map((other) => other.slice(other.indexOf('v1=')))].join(',');
}

/** Connections are kept, as Stripe keeps them. */
const agent = new Agent({ keepAlive: true });

/** Sends a signed event as Stripe calls a webhook endpoint. Not by `fetch`, which takes longer than the endpoint itself. */
export function deliver(event: Stripe.Event, options: DeliveryOptions): Promise<DeliveryResult> {
  const body = Buffer.from(JSON.stringify(event, null, 2));
  const started = performance.now();
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    'stripe-signature': signAll(body.toString(), options.secret, options.timestamp),
  };
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const sent = request(options.url, { method: 'POST', agent, headers, signal }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (answer += chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: answer, durationMs: performance.now() - started }),
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** Sends events to one endpoint, except those that the caller drops. */
export interface Deliverer {
  /** @returns `undefined` when the delivery was dropped: Stripe has the event, and the endpoint never receives it */
  send(event: Stripe.Event): Promise<DeliveryResult | undefined>;
  /** Drops the next `times` deliveries. */
  dropNext(times: number): void;
  /** Drops every later delivery for which `matches` is true. */
  dropWhen(matches: (event: Stripe.Event) => boolean): void;
  /** Dropped events, in the order of the calls. */
  readonly dropped: readonly Stripe.Event[];
}

/** A deliverer that drops nothing yet. */
export function createDeliverer(options: DeliveryOptions): Deliverer {
  const dropped: Stripe.Event[] = [];
  let remainingDrops = 0;
  let isDropped: (event: Stripe.Event) => boolean = () => false;
  return {
    dropped,
    dropNext: (times) => {
      remainingDrops += times;
    },
    dropWhen: (matches) => {
      isDropped = matches;
    },
    async send(event) {
      if (remainingDrops > 0 || isDropped(event)) {
        remainingDrops = Math.max(0, remainingDrops - 1);
        dropped.push(event);
        return undefined;
      }
      return deliver(event, options);
    },
  };
}
