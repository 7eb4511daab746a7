import { InvalidRequestError } from '../../runtime/errors';
import { NO_DEFAULTS, type ObjectState, type StateDefaults } from '../../billing/object-state';
import { accountState, customerState } from './party-states';
import { chargeStates, paymentIntentState, refundState } from './payment-states';
import { invoiceState, purchaseState, subscriptionState } from './subscription-states';
import type { StripeEvent } from './shapes';

const named = (prefix: string, ...changes: string[]) => changes.map((change) => `${prefix}.${change}`);

/**
 * The event types that are handled: those to subscribe the endpoint to, and those that reconciliation looks for. Others
 * are recorded and acknowledged.
 */
export const ENDPOINT_EVENT_TYPES: readonly string[] = [
  ...named('customer.subscription', 'created', 'updated', 'deleted'),
  ...named('invoice', 'updated', 'paid', 'payment_succeeded', 'payment_failed', 'voided', 'deleted'),
  ...named('checkout.session', 'completed', 'async_payment_succeeded', 'async_payment_failed', 'expired'),
  ...named('payment_intent', 'succeeded', 'payment_failed'),
  ...named('charge', 'succeeded', 'refunded'),
  ...named('refund', 'created', 'updated', 'failed'),
  // These repeat the above sooner or in other words, or tell about people and accounts.
  ...named('customer', 'created', 'updated', 'deleted'),
  ...named('customer.subscription', 'paused', 'resumed'),
  ...named('invoice', 'created', 'finalized', 'marked_uncollectible'),
  ...named('payment_intent', 'created', 'processing', 'requires_action', 'canceled'),
  ...named('charge', 'pending', 'captured', 'failed', 'expired', 'updated', 'refund.updated'),
  'account.updated',
];

const KNOWN_TYPES = new Set(ENDPOINT_EVENT_TYPES);

/** Whether an event of this type changes anything here. Bounds what metrics are told of types: the others are `other`. */
export function isHandled(type: string): boolean {
  return KNOWN_TYPES.has(type);
}

const CHARGE_EVENTS = new Set(
  named('charge', 'succeeded', 'pending', 'captured', 'failed', 'expired', 'updated', 'refunded'),
);
const REFUND_EVENTS = new Set(['charge.refund.updated', ...named('refund', 'created', 'updated', 'failed')]);
const CUSTOMER_EVENTS = new Set(named('customer', 'created', 'updated', 'deleted'));

/**
 * What an event changes: the states of the objects that it carries, or nothing when the platform does not act on it.
 *
 * @throws InvalidRequestError naming what of the object is not as Stripe documents it
 */
export function effectsOf(event: StripeEvent, defaults: StateDefaults = NO_DEFAULTS): ObjectState[] {
  const { type } = event;
  // What happens in a connected account is its owner's business: a purchase there, whatever its metadata say, buys
  // nothing here. Only what Stripe says about the account itself counts.
  if (isForeign(event)) return [];
  const origin = { moment: event.created, eventId: event.id, creation: type.endsWith('.created') };
  // A preview of an invoice has no id and may never become one.
  if (type === 'invoice.upcoming') return [];
  if (type.startsWith('customer.subscription.')) {
    return [subscriptionState(carried(event, 'subscription'), origin, defaults)];
  }
  if (type.startsWith('invoice.')) {
    return [invoiceState(carried(event, 'invoice'), origin, defaults, type === 'invoice.deleted')];
  }
  if (type.startsWith('checkout.session.')) {
    return [purchaseState(carried(event, 'checkout.session'), origin, defaults)];
  }
  if (type.startsWith('payment_intent.')) {
    return [paymentIntentState(carried(event, 'payment_intent'), origin, defaults)];
  }
  if (CHARGE_EVENTS.has(type)) return chargeStates(carried(event, 'charge'), origin, defaults);
  if (REFUND_EVENTS.has(type)) return [refundState(carried(event, 'refund'), origin)];
  if (CUSTOMER_EVENTS.has(type)) {
    return [customerState(carried(event, 'customer'), origin, defaults, type === 'customer.deleted')];
  }
  if (type === 'account.updated') return [accountState(carried(event, 'account'), origin, defaults)];
  return [];
}

/** Whether an event is about an object of a connected account. */
export function isForeign({ account, type }: Pick<StripeEvent, 'account' | 'type'>): boolean {
  return account != null && type !== 'account.updated';
}

function carried(event: StripeEvent, kind: string): Record<string, unknown> {
  const object = event.data.object;
  if (object.object === kind) return object;
  throw new InvalidRequestError(`data.object.object: expected \`${kind}\` in an event of type ${event.type}`);
}
