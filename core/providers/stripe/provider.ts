import type { Provider } from '../../billing/provider';
import { effectsOf } from './event-effect';
import { STRIPE } from './name';
import type { StripeEvent } from './shapes';
import { toStorable } from './storable';

/** Longer ids than Stripe makes would not fit into an index. */
const LONGEST_ID = 255;

/** The object's id, or null for one that the ledger cannot look objects up by. */
function objectIdOf(id: unknown): string | null {
  const usable = typeof id === 'string' && id.length <= LONGEST_ID && id.isWellFormed() && !id.includes('\0');
  return usable ? id : null;
}

/** Stripe, as `applyEvents` takes it. */
export const stripeProvider: Provider<StripeEvent> = {
  name: STRIPE,
  objectPath: ['data', 'object'],
  identify: ({ id, type, api_version, livemode, created, data }) => ({
    id,
    type,
    objectId: objectIdOf(data.object.id),
    apiVersion: api_version ?? null,
    livemode,
    occurredAt: new Date(created * 1000),
  }),
  toStorable: (event, json) => toStorable(event, json) as StripeEvent,
  effectsOf,
};
