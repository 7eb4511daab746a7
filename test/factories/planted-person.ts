import type { Client } from 'pg';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import {
  charge,
  checkoutSession,
  customer,
  dispute,
  earlyFraudWarning,
  EPOCH,
  invoice,
  invoicePayment,
  paymentIntent,
  refund,
  stripeEvent,
  subscription,
} from './stripe-objects';

type Fields = Readonly<Record<string, unknown>>;

/** A person of whom every field that may hold something personal has a text of its own. */
export interface PlantedPerson {
  /** What every planted text contains. */
  readonly marker: string;
  readonly customerId: string;
  readonly userId: string;
  /** Events of every kind about the person, in an order in which a provider may send them. */
  readonly events: readonly StripeEvent[];
  /** A purchase of the same person without a customer. */
  readonly guest: readonly StripeEvent[];
}

/** @param name unique in the database, of letters */
export function plantedPerson(name: string, created = EPOCH): PlantedPerson {
  const marker = `planted-${name}`;
  const customerId = `cus_${name}`;
  // The user's id is personal as well: many applications take the address.
  const userId = `${marker}-user@example.com`;
  const email = `${marker}@example.com`;
  let count = 0;
  const planted = (field: string): string => `${marker}-${field}-${(count += 1)} Müller`;
  const metadata = () => ({ user_id: userId, project_id: 'project_1', note: planted('note'), [`${marker}-key`]: 'x' });
  const address = () => ({
    city: planted('city'),
    country: 'DE',
    line1: planted('line1'),
    postal_code: planted('zip'),
  });
  const billing = () => ({ address: address(), email, name: planted('name'), phone: planted('phone') });
  const ids = { customer: customerId, created };
  const of = (suffix: string) => `${suffix}_${name}`;
  const payment = () => ({
    ...ids,
    metadata: metadata(),
    receipt_email: email,
    description: planted('description'),
    shipping: { address: address(), name: planted('shipping') },
    billing_details: billing(),
  });
  const subscribed = { id: of('sub'), ...ids, status: 'canceled', ended_at: created + 60 };
  return {
    marker,
    customerId,
    userId,
    events: [
      // Children before their parents, as Stripe may send them.
      stripeEvent(
        'refund.created',
        refund({
          id: of('re'),
          charge: of('ch'),
          payment_intent: of('pi'),
          created,
          destination_details: { type: 'card', card: { name: planted('d') } },
          instructions_email: email,
        }),
      ),
      stripeEvent(
        'charge.dispute.created',
        dispute({
          id: of('dp'),
          charge: of('ch'),
          created,
          evidence: { customer_name: planted('e'), customer_email_address: email, uncategorized_text: planted('text') },
        }),
      ),
      stripeEvent(
        'radar.early_fraud_warning.created',
        earlyFraudWarning({ id: of('issfr'), charge: of('ch'), created, note: planted('n') }),
      ),
      stripeEvent(
        'invoice_payment.paid',
        invoicePayment({
          id: of('inpay'),
          invoice: of('in'),
          created,
          payment: { payment_intent: of('pi'), note: planted('n') },
        }),
      ),
      stripeEvent(
        'customer.created',
        customer({ id: customerId, created, ...person(planted, email), metadata: metadata(), address: address() }),
      ),
      stripeEvent(
        'customer.updated',
        customer({ id: customerId, created, ...person(planted, email), metadata: metadata() }),
        {
          created: created + 1,
          data: { previous_attributes: { name: planted('former'), email: `former.${email}` } },
          request: { id: null, idempotency_key: planted('idempotency') },
        },
      ),
      stripeEvent(
        'customer.subscription.created',
        subscription({
          ...subscribed,
          status: 'active',
          ended_at: null,
          metadata: metadata(),
          description: planted('sub'),
        }),
      ),
      stripeEvent(
        'customer.subscription.deleted',
        subscription({ ...subscribed, metadata: metadata(), cancellation_details: { comment: planted('comment') } }),
        { created: created + 60 },
      ),
      stripeEvent(
        'invoice.paid',
        invoice({
          id: of('in'),
          ...ids,
          parent: {
            type: 'subscription_details',
            subscription_details: { subscription: of('sub'), metadata: metadata() },
          },
          payments: { data: [{ is_default: true, payment: { type: 'payment_intent', payment_intent: of('pi') } }] },

          payment_intent: of('pi'),
          customer_email: email,
          customer_name: planted('c'),
          customer_phone: planted('p'),
          customer_address: address(),
          hosted_invoice_url: `https://invoice.stripe.com/${marker}`,
          custom_fields: [{ name: 'x', value: planted('f') }],
          metadata: metadata(),
        }),
      ),
      stripeEvent(
        'checkout.session.completed',
        checkoutSession({
          id: of('cs'),
          ...ids,
          payment_intent: of('pi'),
          client_reference_id: userId,
          customer_email: email,
          customer_details: { ...billing(), tax_ids: [{ type: 'eu_vat', value: planted('vat') }] },
          metadata: { ...metadata(), kind: 'course', item_id: 'course_1' },
        }),
      ),
      stripeEvent(
        'payment_intent.payment_failed',
        paymentIntent({
          id: of('pi'),
          ...payment(),
          latest_charge: of('ch'),
          last_payment_error: { code: 'card_declined', message: planted('m') },
        }),
      ),
      stripeEvent(
        'charge.succeeded',
        charge({
          id: of('ch'),
          ...payment(),
          payment_intent: of('pi'),
          receipt_url: `https://pay.stripe.com/${marker}`,
        }),
      ),
      // Types that the platform records without acting on them.
      stripeEvent('payment_method.attached', {
        id: of('pm'),
        object: 'payment_method',
        ...ids,
        billing_details: billing(),
      }),
      stripeEvent('payment_method.detached', {
        id: of('pm'),
        object: 'payment_method',
        created,
        customer: null,
        billing_details: billing(),
      }),
    ],
    guest: [
      stripeEvent(
        'charge.succeeded',
        charge({
          id: of('ch_guest'),
          created,
          customer: null,
          payment_intent: of('pi_guest'),
          billing_details: billing(),
        }),
      ),
      stripeEvent(
        'payment_intent.succeeded',
        paymentIntent({
          id: of('pi_guest'),
          created,
          customer: null,
          latest_charge: of('ch_guest'),
          description: planted('guest'),
        }),
      ),
    ],
  };
}

function person(planted: (field: string) => string, email: string): Fields {
  return {
    email,
    name: planted('name'),
    phone: planted('phone'),
    description: planted('description'),
    preferred_locales: [planted('locale')],
    invoice_settings: {
      custom_fields: [{ name: planted('field'), value: planted('value') }],
      footer: planted('footer'),
    },
    shipping: { name: planted('ship'), phone: planted('phone') },
  };
}

/** Where a text is in a database: every row of every table, whatever the types of its columns, as `schema.table: row`. */
export async function placesOf(client: Client, text: string): Promise<string[]> {
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
  );
  const places: string[] = [];
  for (const { name } of tables) {
    const found = await client.query<{ row: string }>(
      `SELECT t::text AS row FROM ${name} AS t WHERE strpos(lower(t::text), lower($1)) > 0`,
      [text],
    );
    places.push(...found.rows.map(({ row }) => `${name}: ${row}`));
  }
  return places;
}
