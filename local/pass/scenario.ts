import type Stripe from 'stripe';
import { eventObject, nowSeconds, subscriptionObject } from '../stripe/objects';
import type { StripeState } from '../stripe/state';

/** A request that the endpoint gets. */
export interface Delivery {
  readonly event: Stripe.Event;
  /** Why it is in the scenario, for the table; empty for an ordinary one. */
  readonly note: string;
  /** Signed with another secret than the endpoint's. */
  readonly forged: boolean;
}

export interface Scenario {
  /** In the order in which they are sent. */
  readonly deliveries: readonly Delivery[];
  /** An active subscription, which the last step cancels without a delivery. */
  readonly healable: string;
  /** Checkout session of a purchase. */
  readonly purchase: string;
  /** Refunded in part, in cents. */
  readonly refund: { readonly chargeId: string; readonly amount: number };
}

const PROJECT = { app_id: 'academy', project_id: 'project-1' };
const REFUND_CENTS = 1500;

/** Plays a small story at Stripe, and returns its events in the order of their delivery. */
export function playScenario(state: StripeState): Scenario {
  // In the past, a second apart: what is checked below is the order of delivery, not of the same second.
  let clock = nowSeconds() - 300;
  const next = (): number => (clock += 1);
  const owner = (user: string): { metadata: Stripe.Metadata } => ({ metadata: { ...PROJECT, user_id: user } });
  const delivery = (event: Stripe.Event, note = '', forged = false): Delivery => ({ event, note, forged });

  const ada = state.createSubscription({ created: next(), ...owner('ada') });
  const paid = state.payInvoice(ada.object.id, { created: next() });
  const declined = state.failInvoice(ada.object.id, { created: next() });
  const pastDue = state.updateSubscription(ada.object.id, { status: 'past_due' }, { atSeconds: next() });

  const course = { ...owner('grace').metadata, kind: 'course', item_id: 'course-cobol' };
  const bought = state.completeCheckout({ created: next(), metadata: course });
  const chargeId = state.chargeOf(bought.object).id;
  const refunded = state.refundCharge(chargeId, REFUND_CENTS, { atSeconds: next() });

  const alan = state.createSubscription({ created: next(), ...owner('alan') });
  const resigned = state.updateSubscription(alan.object.id, { cancel_at_period_end: true }, { atSeconds: next() });

  const edsger = state.createSubscription({ created: next(), ...owner('edsger') });
  const ended = state.cancelSubscription(edsger.object.id, { atSeconds: next() });

  const invented = eventObject('customer.subscription.created', subscriptionObject(owner('mallory')));
  return {
    deliveries: [
      delivery(ada.event),
      delivery(paid.event),
      delivery(declined.event),
      delivery(pastDue.event),
      delivery(bought.event),
      delivery(refunded.event, 'partial refund'),
      delivery(ada.event, 'duplicate of the first'),
      delivery(resigned.event, 'out of order: before its creation'),
      delivery(alan.event, 'out of order: after its update'),
      delivery(edsger.event),
      delivery(ended.event),
      delivery(invented, 'forged: signed with another secret', true),
    ],
    healable: alan.object.id,
    purchase: bought.object.id,
    refund: { chargeId, amount: REFUND_CENTS },
  };
}
