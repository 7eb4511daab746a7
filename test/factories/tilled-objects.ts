import { createHmac } from 'node:crypto';
import type { TilledEvent } from '../../core/providers/tilled/shapes';

type Fields = Readonly<Record<string, unknown>>;

/** The beginning of every story, in milliseconds since 1970. */
export const TILLED_EPOCH = Date.parse('2026-11-21T12:00:00.000Z');
/** ISO 8601 of a moment in milliseconds after it. */
export const tilledAt = (ms: number) => new Date(TILLED_EPOCH + ms).toISOString();

const times = { created_at: tilledAt(0), updated_at: tilledAt(0) };

export const tilledRefund = (fields: Fields = {}): Fields => ({
  id: 're_1',
  amount: 900,
  charge_id: 'ch_1',
  payment_intent_id: 'pi_1',
  status: 'succeeded',
  balance_transaction: { id: 'txn_2', amount: -900, currency: 'usd' },
  ...times,
  ...fields,
});

export const tilledCharge = (fields: Fields = {}): Fields => ({
  id: 'ch_1',
  payment_intent_id: 'pi_1',
  status: 'succeeded',
  captured: true,
  amount_captured: 2_900,
  amount_refunded: 0,
  refunded: false,
  refunds: [],
  balance_transaction: { id: 'txn_1', amount: 2_900, currency: 'usd' },
  ...times,
  ...fields,
});

export const tilledIntent = (fields: Fields = {}): Fields => ({
  id: 'pi_1',
  account_id: 'acct_1',
  amount: 2_900,
  amount_received: 2_900,
  currency: 'usd',
  status: 'succeeded',
  client_secret: 'pi_1_secret_x',
  charges: [tilledCharge()],
  customer: { id: 'cus_1' },
  payment_method: {
    id: 'pm_1',
    type: 'card',
    billing_details: { name: 'Ann', address: { street: 'High Street 1' } },
    card: { brand: 'visa', last4: '4242', exp_month: 3, exp_year: 2030, holder_name: 'Ann Example' },
  },
  metadata: {},
  ...times,
  ...fields,
});

export const tilledSubscription = (fields: Fields = {}): Fields => ({
  id: 'sub_1',
  account_id: 'acct_1',
  customer_id: 'cus_1',
  status: 'active',
  currency: 'usd',
  price: 2_900,
  interval_unit: 'month',
  interval_count: 1,
  next_payment_at: '2026-12-21T12:00:00.000Z',
  metadata: { user_id: 'user_1', project_id: 'project_1' },
  ...times,
  ...fields,
});

let sequence = 0;

/** An event of Tilled; every call makes another unless `fields.id` says which. */
export function tilledEvent(type: string, data: Fields, fields: Partial<TilledEvent> = {}): TilledEvent {
  sequence += 1;
  return { id: `evt_${process.pid}_${sequence}`, account_id: 'acct_1', type, data, ...fields };
}

/** Header as Tilled makes it. */
export function signAsTilled(payload: string, secret: string, ms: number): string {
  return `t=${ms},v1=${createHmac('sha256', secret).update(`${ms}.${payload}`).digest('hex')}`;
}
