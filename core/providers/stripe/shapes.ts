import * as z from 'zod';
import { InvalidRequestError } from '../../runtime/errors';
import { isCurrency } from '../../runtime/money';

/**
 * The fields that are read of Stripe's objects, in the shapes of API versions before and since 2025. `raw` keeps the whole
 * object, so nothing is lost when a version adds or moves a field.
 */

/** Seconds since 1970, up to the year 9999. */
const moment = z.int({ error: 'expected whole seconds since 1970' }).min(0).max(253_402_300_799);
const amount = z.int({ error: "expected an integer in the currency's smallest unit" });
/** Of what only ever goes one way. Totals of invoices may be negative, and so may movements of a balance. */
const positive = amount.min(0, "expected an integer of zero or more in the currency's smallest unit");
const count = z.int({ error: 'expected a whole number' });
const text = z.string({ error: 'expected text' }).min(1).max(5_000);
/** What is one of a few words, and indexed. */
const word = text.max(100, 'expected at most 100 characters');
const currency = z
  .string({ error: 'expected an ISO 4217 currency' })
  .refine(isCurrency, 'expected an ISO 4217 currency');
/** What names a person who was erased is null in the stored object, of which the state is made once more where it is canceled. */
const metadata = z.record(z.string(), z.string().nullable()).nullish();

/** Stripe promises that no id is longer. Several of them, and ids of the application, share an entry of an index. */
export const LONGEST_ID = 255;
const idForm = `expected an id of at most ${LONGEST_ID} bytes`;
const objectId = z
  .string({ error: idForm })
  .min(1, idForm)
  .refine((id) => Buffer.byteLength(id) <= LONGEST_ID, idForm);

/** An id, or the object itself where a request expanded it. */
const reference = z.union([objectId, z.object({ id: objectId }).transform((object) => object.id)], {
  error: `${idForm}, or an object with one`,
});

/** An object of any kind. `z.record` would copy it key by key for every event. */
const anyObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'expected an object' },
);

/** Letters, digits and what else ids at Stripe were seen with. */
const EVENT_ID = /^evt_[A-Za-z0-9_.-]{1,250}$/;

/** The envelope of an event; other fields are kept. */
const eventShape = z.looseObject({
  id: z.string({ error: 'expected an event id' }).regex(EVENT_ID, 'expected an event id such as evt_123'),
  object: z.literal('event', { error: 'expected `event`' }),
  type: text.max(250),
  api_version: text.max(250).nullish(),
  created: moment,
  livemode: z.boolean({ error: 'expected true or false' }),
  // The connected account that the event happened in; absent for the platform's own account.
  account: text.nullish(),
  data: z.looseObject({ object: anyObject }, { error: 'expected an object with `object`' }),
});

/** A Stripe event with a checked envelope; `data.object` is checked when the event is applied. */
export type StripeEvent = z.infer<typeof eventShape>;

/**
 * Checks the envelope of an event.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function readEvent(value: unknown): StripeEvent {
  const parsed = eventShape.safeParse(value);
  if (parsed.success) return withOwnId(parsed.data);
  throw new InvalidRequestError(
    parsed.error.issues.map((issue) => `${issue.path.join('.') || 'event'}: ${issue.message}`).join('; '),
  );
}

/** The id of every test event that Stripe's dashboard sends. */
const TEST_EVENT_ID = /^evt_0+$/;

/** Test events of the dashboard share an id: type, time and object tell them apart, so that the second is no duplicate. */
function withOwnId(event: StripeEvent): StripeEvent {
  if (!TEST_EVENT_ID.test(event.id)) return event;
  const { id: object } = event.data.object;
  const parts = [event.type, String(event.created), ...(typeof object === 'string' ? [object] : [])];
  return { ...event, id: [event.id, ...parts.map(plainName)].join('_') };
}

function plainName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, '_').slice(0, 100);
}

/** Since 2020 items carry a `price`; subscriptions made before may still carry only a `plan`. */
const subscriptionItem = z
  .object({
    id: objectId,
    price: z
      .object({
        id: objectId,
        product: reference.nullish(),
        unit_amount: amount.nullish(),
        currency: currency,
        recurring: z.object({ interval: text }).nullish(),
      })
      .nullish(),
    plan: z
      .object({
        id: objectId,
        product: reference.nullish(),
        amount: amount.nullish(),
        currency: currency,
        interval: text,
      })
      .nullish(),
    quantity: count.nullish(),
    current_period_start: moment.nullish(),
    current_period_end: moment.nullish(),
  })
  .refine((item) => item.price != null || item.plan != null, { path: ['price'], error: 'expected a price or a plan' });

export const subscriptionShape = z.object({
  id: objectId,
  customer: reference,
  status: word,
  /** Events of old API versions have it in the plan only. */
  currency: currency.nullish(),
  cancel_at_period_end: z.boolean(),
  cancel_at: moment.nullish(),
  canceled_at: moment.nullish(),
  ended_at: moment.nullish(),
  trial_end: moment.nullish(),
  collection_method: text.nullish(),
  days_until_due: count.nullish(),
  pause_collection: z.object({ behavior: text, resumes_at: moment.nullish() }).nullish(),
  created: moment,
  current_period_start: moment.nullish(),
  current_period_end: moment.nullish(),
  /** An event carries about the first ten items only; `has_more` is true when there are others. */
  items: z.object({ data: z.array(subscriptionItem), has_more: z.boolean().nullish() }),
  metadata,
});

export const invoiceShape = z.object({
  id: objectId,
  customer: reference.nullish(),
  status: word.nullish(),
  currency: currency,
  total: amount,
  amount_due: amount,
  /** This and what remains: since 2018. */
  amount_paid: amount.nullish(),
  amount_remaining: amount.nullish(),
  attempt_count: count.nullish(),
  period_start: moment.nullish(),
  period_end: moment.nullish(),
  created: moment.nullish(),
  /** Name of `created` until 2019. */
  date: moment.nullish(),
  /** Until 2018 these said what `status` says since. */
  paid: z.boolean().nullish(),
  forgiven: z.boolean().nullish(),
  attempted: z.boolean().nullish(),
  status_transitions: z.object({ paid_at: moment.nullish() }).nullish(),
  /** About the first ten lines; the database reads them. */
  lines: z.object({ has_more: z.boolean().nullish() }).nullish(),
  subscription: reference.nullish(),
  payment_intent: reference.nullish(),
  payments: z
    .object({
      data: z.array(
        z.object({
          is_default: z.boolean().nullish(),
          payment: z.object({ payment_intent: reference.nullish() }).nullish(),
        }),
      ),
    })
    .nullish(),
  subscription_details: z.object({ metadata }).nullish(),
  parent: z
    .object({ subscription_details: z.object({ subscription: reference.nullish(), metadata }).nullish() })
    .nullish(),
  metadata,
});

export const checkoutSessionShape = z.object({
  id: objectId,
  customer: reference.nullish(),
  client_reference_id: text.nullish(),
  mode: text,
  status: word.nullish(),
  payment_status: word,
  payment_intent: reference.nullish(),
  subscription: reference.nullish(),
  amount_total: positive.nullish(),
  currency: currency.nullish(),
  created: moment,
  metadata,
});

export const refundShape = z.object({
  id: objectId,
  charge: reference.nullish(),
  payment_intent: reference.nullish(),
  /** Absent for refunds made before 2018, all of which had succeeded. */
  status: word.nullish(),
  amount: positive,
  currency: currency,
  reason: text.nullish(),
  failure_reason: text.nullish(),
  created: moment,
});

export const chargeShape = z.object({
  id: objectId,
  customer: reference.nullish(),
  payment_intent: reference.nullish(),
  status: word,
  amount: positive,
  /** Since 2020. */
  amount_captured: positive.nullish(),
  amount_refunded: positive,
  captured: z.boolean().nullish(),
  currency: currency,
  created: moment,
  metadata,
  /** Until 2022 a charge carried its refunds. */
  refunds: z.object({ data: z.array(z.unknown()) }).nullish(),
});

export const paymentIntentShape = z.object({
  id: objectId,
  customer: reference.nullish(),
  status: word,
  amount: positive,
  amount_received: positive.nullish(),
  currency: currency,
  created: moment,
  latest_charge: reference.nullish(),
  /** Until 2022 a payment intent carried its charges, the newest first. */
  charges: z.object({ data: z.array(z.object({ id: objectId })) }).nullish(),
  invoice: reference.nullish(),
  last_payment_error: z.object({ code: text.nullish(), message: text.nullish() }).nullish(),
  metadata,
});

export const customerShape = z.object({
  id: objectId,
  /** A deleted customer has only its id. */
  created: moment.nullish(),
  deleted: z.boolean().nullish(),
  email: z.string().max(512, 'expected at most 512 characters').nullish(),
  name: z.string().max(5_000).nullish(),
  currency: z.string().max(5_000).nullish(),
  delinquent: z.boolean().nullish(),
  metadata,
});

const requirements = z.array(z.string()).nullish();

export const accountShape = z.object({
  id: objectId,
  charges_enabled: z.boolean({ error: 'expected true or false' }),
  payouts_enabled: z.boolean({ error: 'expected true or false' }).nullish(),
  /** Name of `payouts_enabled` until 2017. */
  transfers_enabled: z.boolean().nullish(),
  details_submitted: z.boolean().nullish(),
  /** Status of each capability, such as `transfers`, by its name. */
  capabilities: z.record(z.string(), z.unknown()).nullish(),
  requirements: z
    .object({ currently_due: requirements, past_due: requirements, disabled_reason: text.nullish() })
    .nullish(),
  /** Name of `requirements` until 2019. */
  verification: z.object({ fields_needed: requirements, disabled_reason: text.nullish() }).nullish(),
  created: moment.nullish(),
  metadata,
});

export const capabilityShape = z.object({
  /** Name of the capability, such as `transfers`. */
  id: objectId,
  account: reference,
  status: word,
});

/** Made from an event, which is about an application and happened in the account. */
export const authorizationShape = z.object({
  account: text,
  authorized: z.boolean(),
});

/** Since 2025; before, an invoice names its payment itself. */
export const invoicePaymentShape = z.object({
  id: objectId,
  invoice: reference,
  payment: z.object({ payment_intent: reference.nullish() }).nullish(),
  status: word,
  amount_paid: amount.nullish(),
  currency: currency,
  created: moment,
});

export const disputeShape = z.object({
  id: objectId,
  charge: reference.nullish(),
  payment_intent: reference.nullish(),
  status: word,
  amount: amount,
  currency: currency,
  reason: text.nullish(),
  evidence_details: z.object({ due_by: moment.nullish() }).nullish(),
  /** Withdrawals are negative, reinstatements positive. */
  balance_transactions: z.array(z.object({ amount: amount })).nullish(),
  created: moment,
});

/** The amount is negative where the bank account is debited. */
export const payoutShape = z.object({
  id: objectId,
  status: word,
  amount: amount,
  currency: currency,
  arrival_date: moment,
  automatic: z.boolean({ error: 'expected true or false' }).nullish(),
  method: text.nullish(),
  failure_code: text.nullish(),
  failure_message: text.nullish(),
  created: moment,
  metadata,
});

export const transferShape = z.object({
  id: objectId,
  destination: reference.nullish(),
  source_transaction: reference.nullish(),
  amount: positive,
  amount_reversed: positive.nullish(),
  currency: currency,
  created: moment,
});

export const earlyFraudWarningShape = z.object({
  id: objectId,
  charge: reference.nullish(),
  payment_intent: reference.nullish(),
  actionable: z.boolean({ error: 'expected true or false' }),
  fraud_type: text.nullish(),
  created: moment,
});
