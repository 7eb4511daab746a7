import type { ClientBase } from 'pg';
import { applyEvents } from '../../core/billing/apply-events';
import { createStripe } from '../../core/providers/stripe/client';
import { pacedCaller } from '../../core/providers/stripe/paced-caller';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent } from '../../core/providers/stripe/shapes';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { StripeStandIn } from '../../local/stripe/stand-in';

/** Changes at Stripe, by the events about them. */
export type Deliveries = readonly { readonly event: object }[];

/** Applies events as the processor does. */
export async function deliver(client: ClientBase, deliveries: Deliveries): Promise<void> {
  await applyEvents(
    client,
    stripeProvider,
    deliveries.map(({ event }) => ({ event: readEvent(event), source: 'webhook', receivedAt: new Date() })),
  );
}

/** Dependencies of reconciliation and replay, without waiting for a rate limit. */
export function stripeWork(
  { url }: StripeStandIn,
  client: ClientBase,
  overrides: Partial<StripeWork> = {},
): StripeWork {
  return {
    client,
    stripe: createStripe('sk_test_1', url),
    call: unpacedCaller(),
    clock: () => new Date(),
    apply: {},
    stop: new AbortController().signal,
    ...overrides,
  };
}

export const unpacedCaller = () => pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 });
