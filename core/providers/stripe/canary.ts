import Stripe from 'stripe';
import { CANARY_EVENT } from '../contract';
import { STRIPE_API_VERSION } from './event-labels';
import type { StripeEvent } from './shapes';

/** An event of the platform's own, as Stripe would write one. It is a test event in every environment: no money moved. */
export function canaryEvent(now: Date, suffix: string): StripeEvent {
  return {
    id: `${CANARY_EVENT.idPrefix}${now.toISOString().replaceAll(/[-:.]/g, '')}_${suffix}`,
    object: 'event',
    type: CANARY_EVENT.type,
    api_version: STRIPE_API_VERSION,
    created: Math.floor(now.getTime() / 1000),
    livemode: false,
    data: { object: { object: 'canary' } },
  };
}

/** Whether an event is the platform's own. Only a holder of the signing secret can send one. */
export function isCanary({ type }: Pick<StripeEvent, 'type'>): boolean {
  return type === CANARY_EVENT.type;
}

/** The signature of a body, made now by Stripe's own library. */
export function signAsStripe(payload: string, secret: string): string {
  return Stripe.webhooks.generateTestHeaderString({ payload, secret });
}
