import type { Provider } from '../../billing/provider';
import { effectsOf } from './event-effect';
import { STRIPE } from './name';
import { LONGEST_ID, type StripeEvent } from './shapes';
import { toStorable } from './storable';

/** The id of what an event is about. Of an application or a capability, which many accounts have, it is the account. */
function subjectIdOf({ account, data: { object } }: StripeEvent): string | null {
  const isOfAccount = object.object === 'application' || object.object === 'capability';
  return usableId(isOfAccount ? (object.account ?? account) : object.id);
}

/** The object's id, or null for one that the ledger cannot look objects up by. */
function usableId(id: unknown): string | null {
  const usable = typeof id === 'string' && id.length <= LONGEST_ID && id.isWellFormed() && !id.includes('\0');
  return usable ? id : null;
}

/** Stripe, as `applyEvents` takes it. */
export const stripeProvider: Provider<StripeEvent> = {
  name: STRIPE,
  objectPath: ['data', 'object'],
  identify: (event) => ({
    id: event.id,
    type: event.type,
    objectId: subjectIdOf(event),
    apiVersion: event.api_version ?? null,
    livemode: event.livemode,
    occurredAt: new Date(event.created * 1000),
  }),
  toStorable: (event, json) => toStorable(event, json) as StripeEvent,
  effectsOf,
};
