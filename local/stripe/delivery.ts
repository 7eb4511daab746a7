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
  /** Signing secret, `whsec_…`. */
  readonly secret: string;
  /** Time in the signature, in seconds since 1970. @default now */
  readonly timestamp?: number;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** Signs a body as Stripe does, with the official library; returns the value of the `Stripe-Signature` header. */
export function sign(body: string, secret: string, timestamp: number = nowSeconds()): string {
  return new StripeClient('sk_test_unused').webhooks.generateTestHeaderString({ payload: body, secret, timestamp });
}

/** Sends a signed event as Stripe calls a webhook endpoint. */
export async function deliver(event: Stripe.Event, options: DeliveryOptions): Promise<DeliveryResult> {
  const body = JSON.stringify(event, null, 2);
  const started = performance.now();
  const response = await fetch(options.url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      'stripe-signature': sign(body, options.secret, options.timestamp),
    },
    signal: AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
  });
  return { status: response.status, body: await response.text(), durationMs: performance.now() - started };
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
