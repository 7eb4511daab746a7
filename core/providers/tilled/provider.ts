import type { ObjectState } from '../../billing/object-state';
import type { StateDefaults } from '../../billing/owner';
import type { Provider } from '../../billing/provider';
import { ownedId, TILLED } from './name';
import { accountState, customerState, payoutState, subscriptionState } from './party-states';
import { chargeStates, disputeState, paymentIntentStates, refundStates } from './payment-states';
import { momentOf, type TilledEvent } from './shapes';
import { toStorable } from './storable';

type StatesOf = (event: TilledEvent, defaults: StateDefaults) => ObjectState[];

const dispute: StatesOf = ({ data }) => [disputeState(data)];

/** By the longest beginning of the type that is here; all others are recorded and acknowledged. */
const FAMILIES: Readonly<Record<string, StatesOf>> = {
  payment_intent: ({ data }, defaults) => paymentIntentStates(data, defaults),
  // A refund, or the charge with all of its refunds.
  'charge.refund': ({ data }) => ('charge_id' in data ? refundStates(data) : chargeStates(data)),
  'charge.dispute': dispute,
  dispute,
  charge: ({ data }) => chargeStates(data),
  subscription: ({ data }, defaults) => [subscriptionState(data, defaults)],
  customer: ({ data, type }, defaults) => [customerState(data, defaults, type === 'customer.deleted')],
  account: ({ data }, defaults) => [accountState(data, defaults)],
  payout: ({ data, account_id: account }) => [payoutState(data, account)],
};

/** The family of a type, such as `charge.refund` of `charge.refund.updated`; `undefined` where it is not acted upon. */
export function familyOf(type: string): string | undefined {
  const words = type.split('.');
  return [words.slice(0, 2).join('.'), words[0] ?? ''].find((name) => Object.hasOwn(FAMILIES, name));
}

/** Tilled, as `applyEvents` takes it. */
export const tilledProvider: Provider<TilledEvent> = {
  name: TILLED,
  objectPath: ['data'],
  identify: (event) => ({
    id: event.id,
    type: event.type,
    objectId: typeof event.data.id === 'string' ? ownedId(event.data.id.slice(0, 248)) : null,
    apiVersion: null,
    // An endpoint belongs to one of Tilled's two environments, which have keys and secrets of their own.
    livemode: true,
    occurredAt: momentOf(event),
  }),
  toStorable,
  effectsOf(event, defaults) {
    const family = familyOf(event.type);
    return family === undefined ? [] : (FAMILIES[family]?.(event, defaults) ?? []);
  },
};
