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
  /** Moment that the signature claims, in seconds. @default now */
  readonly timestamp?: number;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** Signs a body as Stripe does, with the official library. Gives the value of the `Stripe-Signature` header. */
export function sign(body: string, secret: string, timestamp: number = nowSeconds()): string {
  return new StripeClient('sk_test_unused').webhooks.generateTestHeaderString({ payload: body, secret, timestamp });
}

/** Sends an event, signed, the way Stripe calls a webhook endpoint. */
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

/** Sends events to one endpoint, and loses those that it is told to lose. */
export interface Deliverer {
  /** Nothing when the delivery was dropped: Stripe has the event, the endpoint never hears of it. */
  send(event: Stripe.Event): Promise<DeliveryResult | undefined>;
  /** Drops the next `times` deliveries. */
  dropNext(times: number): void;
  /** Drops every delivery from now on for which `lost` is true. */
  dropWhen(lost: (event: Stripe.Event) => boolean): void;
  /** Events that were dropped, in the order in which they were to be sent. */
  readonly dropped: readonly Stripe.Event[];
}

export function createDeliverer(options: DeliveryOptions): Deliverer {
  const dropped: Stripe.Event[] = [];
  let remainingDrops = 0;
  let isLost: (event: Stripe.Event) => boolean = () => false;
  return {
    dropped,
    dropNext: (times) => {
      remainingDrops += times;
    },
    dropWhen: (lost) => {
      isLost = lost;
    },
    async send(event) {
      if (remainingDrops > 0 || isLost(event)) {
        remainingDrops = Math.max(0, remainingDrops - 1);
        dropped.push(event);
        return undefined;
      }
      return deliver(event, options);
    },
  };
}
