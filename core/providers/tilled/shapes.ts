import * as z from 'zod';
import { InvalidRequestError } from '../../runtime/errors';
import { isCurrency } from '../../runtime/money';

/** The fields that are read of Tilled's objects, as its API reference documents them; other fields are kept in `raw`. */

/** With its prefix in our tables, the longest that an id of any provider may be there. */
const LONGEST_ID = 248;
const idForm = `expected an id of at most ${LONGEST_ID} letters, digits and underscores`;
const id = z.string({ error: idForm }).regex(new RegExp(`^[A-Za-z0-9_-]{1,${LONGEST_ID}}$`), idForm);
const text = z.string({ error: 'expected text' }).max(5_000, 'expected at most 5,000 characters');
const word = text.min(1, 'expected text').max(100, 'expected at most 100 characters');
const minorUnits = "expected an integer of zero or more in the currency's smallest unit";
const amount = z.int({ error: minorUnits }).min(0, minorUnits);
/** A movement of a balance: negative where it leaves. */
const movement = z.int({ error: "expected an integer in the currency's smallest unit" });
const time = z.iso.datetime({ offset: true, error: 'expected an ISO 8601 time' }).transform((value) => new Date(value));
const metadata = z.record(z.string(), z.string()).nullish();

const currency = z
  .string({ error: 'expected an ISO 4217 currency' })
  .refine(isCurrency, 'expected an ISO 4217 currency')
  .transform((code) => code.toLowerCase());

const anyObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'expected an object' },
);

const times = { created_at: time, updated_at: time.nullish() };

/** `data` is the object itself. */
const eventShape = z.looseObject({
  id: z
    .string({ error: 'expected an event id' })
    .regex(/^[A-Za-z0-9_-]{1,250}$/, 'expected an event id such as evt_123'),
  account_id: id,
  type: word,
  created_at: time.nullish(),
  data: anyObject,
});

/** A Tilled event with a checked envelope; `data` is checked when the event is applied. */
export interface TilledEvent {
  readonly id: string;
  readonly account_id: string;
  readonly type: string;
  /** ISO 8601. */
  readonly created_at?: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** @throws InvalidRequestError naming up to five fields of the envelope that are not as Tilled documents them */
export function readEvent(value: unknown): TilledEvent {
  check(eventShape, value, 'event');
  const event = value as TilledEvent;
  momentOf(event);
  return event;
}

/** @throws InvalidRequestError when neither the event nor its object says when it happened */
export function momentOf({ created_at: created, data }: TilledEvent): Date {
  const said = [created, data.updated_at, data.created_at].find((value) => value != null);
  const moment = time.safeParse(said);
  if (!moment.success) throw new InvalidRequestError('event.data.updated_at: expected an ISO 8601 time');
  return moment.data;
}

/**
 * Checks what is read of an object.
 *
 * @param name what the object is called in the error
 * @throws InvalidRequestError naming up to five fields that are not as Tilled documents them
 */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown, name: string): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => `${[name, ...issue.path].join('.')}: ${issue.message}`);
  throw new InvalidRequestError(fields.slice(0, 5).join('; '));
}

export const refundShape = z.object({
  id,
  amount,
  charge_id: id.nullish(),
  payment_intent_id: id.nullish(),
  status: word,
  reason: text.nullish(),
  failure_code: text.nullish(),
  balance_transaction: z.object({ currency: currency.nullish() }).nullish(),
  ...times,
});

export const chargeShape = z.object({
  id,
  payment_intent_id: id.nullish(),
  status: word,
  amount_captured: amount,
  amount_refunded: amount,
  refunds: z.array(z.unknown()).nullish(),
  balance_transaction: z.object({ currency: currency.nullish() }).nullish(),
  ...times,
});

export const paymentIntentShape = z.object({
  id,
  amount,
  amount_received: amount.nullish(),
  currency,
  status: word,
  charges: z.array(z.unknown()).nullish(),
  customer: z.object({ id }).nullish(),
  subscription_id: id.nullish(),
  last_payment_error: z.object({ code: text.nullish(), message: text.nullish() }).nullish(),
  metadata,
  ...times,
});

export const subscriptionShape = z.object({
  id,
  customer_id: id,
  status: word,
  currency,
  price: amount,
  interval_unit: z.enum(['week', 'month', 'year'], { error: 'expected week, month or year' }),
  interval_count: z.int({ error: 'expected a whole number' }).min(1, 'expected 1 or more').max(520),
  next_payment_at: time.nullish(),
  cancel_at: time.nullish(),
  canceled_at: time.nullish(),
  resume_at: time.nullish(),
  metadata,
  ...times,
});

export const customerShape = z.object({
  id,
  email: text.nullish(),
  first_name: text.nullish(),
  middle_name: text.nullish(),
  last_name: text.nullish(),
  metadata,
  ...times,
});

export const disputeShape = z.object({
  id,
  charge_id: id.nullish(),
  status: word,
  amount,
  currency,
  reason_description: text.nullish(),
  closing_at: time.nullish(),
  balance_transactions: z.array(z.object({ amount: movement })).nullish(),
  ...times,
});

export const accountShape = z.object({
  id,
  status: word.nullish(),
  capabilities: z
    .array(z.object({ status: word, requirements_errors: z.array(z.object({ code: text.nullish() })).nullish() }))
    .nullish(),
  metadata,
  ...times,
});

export const payoutShape = z.object({
  id,
  account_id: id.nullish(),
  amount: movement,
  currency,
  status: word,
  failure_code: text.nullish(),
  description: text.nullish(),
  ...times,
});
