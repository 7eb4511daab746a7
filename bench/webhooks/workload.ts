import Stripe from 'stripe';
import { nowSeconds } from '../../local/stripe/objects';
import { idOf, placeholder } from '../support/multiply-rows';
import { customer, eventBody, KINDS, PRICE_IDS, subscription, type Kind, type Subscriber } from './bodies';
import { invoice } from './invoice-bodies';
import { charge, paymentIntent } from './payment-bodies';

/** A webhook as Stripe sends it. */
export interface Delivery {
  readonly body: string;
  readonly signature: string;
}

export const SIGNING_SECRET = 'whsec_benchmark';
/** Price that every subscription has. */
export const PRICE_ID = PRICE_IDS[0];
const HOUR_SECONDS = 3600;
/** When every subscription was made, and its period began: what happens to it later changes neither. */
const SUBSCRIBED_AT = nowSeconds() - 2 * HOUR_SECONDS;
/** Subscriptions between one's event and its next, so that a batch holds every type and no object twice. */
const STAGGER = 40;

interface Round {
  readonly type: string;
  /** Type for a subscriber who is there already. @default the same */
  readonly knownType?: string;
  readonly object: (of: Subscriber) => object;
}

/** The events of a subscriber, in order. */
const ROUNDS: readonly Round[] = [
  { type: 'customer.created', knownType: 'customer.updated', object: customer },
  {
    type: 'customer.subscription.created',
    knownType: 'customer.subscription.updated',
    object: (of) => subscription(of, {}),
  },
  { type: 'invoice.created', object: (of) => invoice(of, 'invoice', { status: 'draft', number: null }) },
  { type: 'invoice.finalized', object: (of) => invoice(of, 'invoice', {}) },
  { type: 'payment_intent.succeeded', object: paymentIntent },
  { type: 'charge.succeeded', object: charge },
  {
    type: 'invoice.payment_succeeded',
    object: (of) =>
      invoice(of, 'invoice', { status: 'paid', amount_paid: 2900 * of.items, amount_remaining: 0, attempt_count: 1 }),
  },
  { type: 'customer.subscription.updated', object: (of) => subscription(of, { cancel_at_period_end: true }) },
  {
    type: 'invoice.payment_failed',
    object: (of) => invoice(of, 'failed_invoice', { attempt_count: 1, attempted: true }),
  },
];

/** Kinds of which every run makes new objects, as every renewal does. */
const OF_A_RUN = new Set<Kind>(KINDS.filter((kind) => !/^(subscription|customer|item_.|method)$/.test(kind)));
const IDS_OF_A_RUN = 10_000;

/** Events of each subscription in a workload. */
export const EVENTS_PER_SUBSCRIPTION = ROUNDS.length;

/** What makes a subscription, with placeholders for ids: to be copied by `multiplyRows`. */
export function templateDeliveries(): Delivery[] {
  const of = { ids: (kind: Kind) => placeholder(KINDS.indexOf(kind)), items: 1, subscribedAt: SUBSCRIBED_AT };
  return ROUNDS.slice(0, 2).map((round, index) =>
    deliver(of, round.type, round, placeholder(KINDS.length + index), SUBSCRIBED_AT),
  );
}

/**
 * Signed events about `subscriptions`, nine of each in its own order and of nine types, interleaved: about the customer, the
 * subscription with one to three items, its invoices, its payment. Signatures are good for 300 seconds.
 *
 * @param known whether the subscriptions are there already; otherwise their events make them
 * @param run tells the events of one run from those of another about the same subscriptions
 */
export function deliveries(subscriptions: readonly number[], known: boolean, run: number): Delivery[] {
  const start = nowSeconds() - HOUR_SECONDS + run * ROUNDS.length;
  const slots = subscriptions.flatMap((index, position) =>
    ROUNDS.map((round, order) => ({ index, round, order, slot: position + order * STAGGER })),
  );
  return slots
    .toSorted((a, b) => a.slot - b.slot)
    .map(({ index, round, order }) => {
      const of = {
        ids: (kind: Kind) => idOf(KINDS.indexOf(kind) + (OF_A_RUN.has(kind) ? IDS_OF_A_RUN * (run + 1) : 0), index),
        items: 1 + (index % 3),
        subscribedAt: SUBSCRIBED_AT,
      };
      const type = known ? (round.knownType ?? round.type) : round.type;
      const own = 100 * (run + 1) + order;
      return deliver(of, type, round, idOf(own, index), start + order);
    });
}

function deliver(of: Subscriber, type: string, { object }: Round, eventId: string, at: number): Delivery {
  const body = eventBody(type, object(of), `evt_${eventId}`, at, eventId);
  return { body, signature: Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SIGNING_SECRET }) };
}
