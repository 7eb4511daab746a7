import { InvalidRequestError } from '../errors';
import { chargeState, invoiceState, purchaseState, subscriptionState, type ObjectState } from './states';
import type { StripeEvent } from './stripe-shapes';

const CHARGE_EVENTS: readonly string[] = ['charge.succeeded', 'charge.updated', 'charge.refunded'];

/**
 * The event types to subscribe the endpoint to, and the ones that reconciliation looks for. `events.list` takes 20 types
 * at most, and no wildcards among them. Other types are recorded and acknowledged.
 */
export const HANDLED_EVENT_TYPES: readonly string[] = [
  ...['created', 'updated', 'deleted', 'paused', 'resumed'].map((change) => `customer.subscription.${change}`),
  ...[
    'created',
    'updated',
    'finalized',
    'paid',
    'payment_succeeded',
    'payment_failed',
    'marked_uncollectible',
    'voided',
    'deleted',
  ].map((change) => `invoice.${change}`),
  ...['completed', 'async_payment_succeeded', 'async_payment_failed', 'expired'].map(
    (change) => `checkout.session.${change}`,
  ),
  'charge.succeeded',
  'charge.refunded',
];

/**
 * What an event changes: the state of the object that it carries, or nothing when the platform does not act on it.
 *
 * @throws InvalidRequestError naming what of the object is not as Stripe documents it
 */
export function effectOf(event: StripeEvent): ObjectState | undefined {
  const origin = { moment: event.created, eventId: event.id };
  // A preview of an invoice has no id and may never become one.
  if (event.type === 'invoice.upcoming') return undefined;
  if (event.type.startsWith('customer.subscription.')) {
    return subscriptionState(carried(event, 'subscription'), origin);
  }
  if (event.type.startsWith('invoice.')) {
    return invoiceState(carried(event, 'invoice'), origin, event.type === 'invoice.deleted');
  }
  if (event.type.startsWith('checkout.session.')) return purchaseState(carried(event, 'checkout.session'), origin);
  if (CHARGE_EVENTS.includes(event.type)) return chargeState(carried(event, 'charge'), origin);
  return undefined;
}

function carried(event: StripeEvent, kind: string): Record<string, unknown> {
  const object = event.data.object;
  if (object.object === kind) return object;
  throw new InvalidRequestError(`data.object.object: expected \`${kind}\` in an event of type ${event.type}`);
}
