import Stripe from 'stripe';
import {
  eventObject,
  invoiceObject,
  nestedList,
  nowSeconds,
  priceObject,
  subscriptionItemObject,
  subscriptionObject,
} from '../../local/stripe/objects';
import { idOf, placeholder } from '../support/multiply-rows';

/** A webhook as Stripe sends it. */
export interface Delivery {
  readonly body: string;
  readonly signature: string;
}

export const SIGNING_SECRET = 'whsec_benchmark';
/** Price of every subscription; a company has a handful, shared by all. */
export const PRICE_ID = 'price_benchmark';
const PRICE = priceObject({ id: PRICE_ID, product: 'prod_benchmark' });
/** Kinds of id; those below are the ones that the template of a full database holds. */
const SUBSCRIPTION = 0;
const CUSTOMER = 1;
const ITEM = 2;
const EVENT = 3;
const INVOICE = 4;
const INVOICE_EVENT = 5;
const PAYMENT_METHOD = 6;
const CHECKOUT_SESSION = 7;
const SETUP_INTENT = 8;
const LATEST_INVOICE = 9;
/** The first of those that the links of an invoice are made of. */
const LINK = 10;
/** Ids' worth of randomness in such a link. */
const LINK_LENGTH = 10;
/** Events of each subscription in a workload. */
const ROUNDS = 4;
const HOUR_SECONDS = 3600;
/** When every subscription was made, and its period began: what happens to it later changes neither. */
const SUBSCRIBED_AT = nowSeconds() - 2 * HOUR_SECONDS;

/** Gives the id of a kind; of one subscription, or its placeholder. */
type Ids = (kind: number) => string;

const idsOf =
  (index: number): Ids =>
  (kind) =>
    idOf(kind, index);

/** Events that make a subscription and pay its first invoice, with placeholders for ids: to be copied by `multiplyRows`. */
export function templateDeliveries(): [subscription: Delivery, invoice: Delivery] {
  return [
    sign(subscriptionEvent('created', placeholder, placeholder(EVENT), SUBSCRIBED_AT)),
    sign(invoiceEvent(1, placeholder, placeholder(INVOICE), placeholder(INVOICE_EVENT), SUBSCRIBED_AT)),
  ];
}

/**
 * Signed events about `subscriptions`, four of each in its own order and all subscriptions interleaved: half about the
 * subscription, half about its invoices. Signatures are good for 300 seconds.
 *
 * @param first index of the first subscription
 * @param known whether the subscriptions are there already; otherwise the first event makes each
 * @param run tells the events of one run from those of another about the same subscriptions
 */
export function deliveries(subscriptions: readonly number[], known: boolean, run: number): Delivery[] {
  const start = nowSeconds() - HOUR_SECONDS + run * ROUNDS;
  return Array.from({ length: ROUNDS }, (_, round) =>
    subscriptions.map((index) => {
      const own = 100 * (run + 1) + round;
      return sign(roundEvent(idsOf(index), round, known, own, start + round));
    }),
  ).flat();
}

function roundEvent(ids: Ids, round: number, known: boolean, own: number, at: number): Stripe.Event {
  const eventId = ids(own);
  if (round === 0) return subscriptionEvent(known ? 'updated' : 'created', ids, eventId, at);
  if (round === 2) return subscriptionEvent('updated', ids, eventId, at);
  return invoiceEvent(round, ids, ids(own), eventId, at);
}

/** The invoice of round 1 is paid, others fail. */
function invoiceEvent(round: number, ids: Ids, invoiceId: string, eventId: string, at: number): Stripe.Event {
  // As random as Stripe's: a database of rows that compress to nothing would flatter the contender that compresses best.
  const link = Array.from({ length: LINK_LENGTH }, (_, part) => ids(LINK + part)).join('');
  const invoice = invoiceObject(`sub_${ids(SUBSCRIPTION)}`, {
    id: `in_${invoiceId}`,
    customer: `cus_${ids(CUSTOMER)}`,
    created: at,
    customer_email: `${ids(CUSTOMER)}@example.com`,
    number: `${ids(CUSTOMER)}-0001`,
    hosted_invoice_url: `https://invoice.stripe.com/i/acct_benchmark/${link}?s=ap`,
    invoice_pdf: `https://pay.stripe.com/invoice/acct_benchmark/${link}/pdf?s=ap`,
    ...(round === 1 ? { status: 'paid', amount_paid: 2900, amount_remaining: 0 } : { attempt_count: 1 }),
  });
  const type = round === 1 ? 'invoice.payment_succeeded' : 'invoice.payment_failed';
  return eventObject(type, invoice, { id: `evt_${eventId}`, created: at });
}

function subscriptionEvent(change: 'created' | 'updated', ids: Ids, eventId: string, at: number): Stripe.Event {
  const id = `sub_${ids(SUBSCRIPTION)}`;
  const item = subscriptionItemObject(id, { id: `si_${ids(ITEM)}`, price: PRICE, created: SUBSCRIBED_AT });
  const subscription = subscriptionObject({
    id,
    customer: `cus_${ids(CUSTOMER)}`,
    created: SUBSCRIBED_AT,
    items: nestedList(`/v1/subscription_items?subscription=${id}`, [item]),
    default_payment_method: `pm_${ids(PAYMENT_METHOD)}`,
    latest_invoice: `in_${ids(LATEST_INVOICE)}`,
    pending_setup_intent: `seti_${ids(SETUP_INTENT)}`,
    metadata: {
      app_id: 'academy',
      project_id: 'project_1',
      user_id: `user_${ids(CUSTOMER)}`,
      checkout_session: `cs_test_${ids(CHECKOUT_SESSION)}`,
    },
    ...(change === 'updated' ? { cancel_at_period_end: true } : {}),
  });
  return eventObject(`customer.subscription.${change}`, subscription, { id: `evt_${eventId}`, created: at });
}

function sign(event: Stripe.Event): Delivery {
  const body = JSON.stringify(event);
  return { body, signature: Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SIGNING_SECRET }) };
}
