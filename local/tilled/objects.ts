import { randomUUID } from 'node:crypto';
import type { SentEvent } from './stand-in';

type Fields = Readonly<Record<string, unknown>>;

const id = (prefix: string): string => `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
const iso = (ms: number): string => new Date(ms).toISOString();

/** Monthly price of the subscriptions, and amount of a payment intent, in cents. */
export const TILLED_PRICE = 2_900;

/** A subscription as Tilled has it, active since a moment in milliseconds since 1970. */
export function tilledSubscriptionObject(account: string, sinceMs: number, metadata: Fields): Fields {
  return {
    id: id('sub'),
    account_id: account,
    customer_id: id('cus'),
    status: 'active',
    currency: 'usd',
    price: TILLED_PRICE,
    interval_unit: 'month',
    interval_count: 1,
    next_payment_at: iso(sinceMs + 30 * 86_400_000),
    metadata,
    created_at: iso(sinceMs),
    updated_at: iso(sinceMs),
  };
}

/** A payment intent that succeeded, with its charge. */
export function tilledIntentObject(account: string, atMs: number, metadata: Fields): Fields {
  const times = { created_at: iso(atMs), updated_at: iso(atMs) };
  const intent = id('pi');
  return {
    id: intent,
    account_id: account,
    amount: TILLED_PRICE,
    amount_received: TILLED_PRICE,
    currency: 'usd',
    status: 'succeeded',
    charges: [
      {
        id: id('ch'),
        payment_intent_id: intent,
        status: 'succeeded',
        captured: true,
        amount_captured: TILLED_PRICE,
        amount_refunded: 0,
        refunded: false,
        refunds: [],
        balance_transaction: { id: id('txn'), amount: TILLED_PRICE, currency: 'usd' },
        ...times,
      },
    ],
    metadata,
    ...times,
  };
}

/** An event about an object, at a moment in milliseconds since 1970. */
export function tilledEventOf(type: string, account: string, atMs: number, data: Fields): SentEvent {
  return { id: id('evt'), account_id: account, type, created_at: iso(atMs), data };
}
