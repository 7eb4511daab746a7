import type { Provider } from '../../billing/provider';
import { effectsOf } from './event-effect';
import { STRIPE } from './name';
import type { StripeEvent } from './shapes';
import { toStorable } from './storable';

/** Stripe, as `applyEvents` takes it. */
export const stripeProvider: Provider<StripeEvent> = {
  name: STRIPE,
  objectPath: ['data', 'object'],
  identify: ({ id, type, api_version, livemode, created }) => ({
    id,
    type,
    apiVersion: api_version ?? null,
    livemode,
    occurredAt: new Date(created * 1000),
  }),
  toStorable: (event, json) => toStorable(event, json) as StripeEvent,
  effectsOf,
};
