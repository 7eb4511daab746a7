import type { StateOf } from '../../billing/object-state';
import { defaultedColumns, ownerOf, type StateDefaults } from '../../billing/owner';
import { ownedId } from './name';
import { accountShape, check, customerShape, payoutShape, subscriptionShape } from './shapes';
import { versionOf } from './version';

const SUBSCRIPTION_ORDER = ['pending', 'active', 'past_due', 'paused'];
const PAYOUT_ORDER = ['pending', 'in_transit'];
/** One that was reported as paid may still be returned by the bank. */
const PAYOUT_PROGRESS: Readonly<Record<string, number>> = { paid: 1, failed: 2, canceled: 2 };
/** Statuses in which an account is neither paid nor takes payments until somebody acts. */
const RESTRICTED_ACCOUNTS = new Set([
  'action_required',
  'account_review',
  'funding_hold',
  'disabled',
  'rejected',
  'withdrawn',
]);

/**
 * The key by which a rule names what a subscription is of: `price_id` of its metadata, or else its price and interval, such as
 * `tilled:2900:usd:1month`. Tilled itself has no prices.
 */
export function priceOf(subscription: ReturnType<typeof check<typeof subscriptionShape>>): string {
  const { price, currency, interval_count: count, interval_unit: unit, metadata } = subscription;
  return metadata?.price_id ?? ownedId(`${price}:${currency}:${count}${unit}`);
}

/** @throws InvalidRequestError naming the fields that are not as Tilled documents them */
export function subscriptionState(object: unknown, defaults: StateDefaults): StateOf<'subscription'> {
  const subscription = check(subscriptionShape, object, 'subscription');
  const { status, currency, metadata, next_payment_at: periodEnd = null } = subscription;
  const id = ownedId(subscription.id);
  const canceledAt = subscription.canceled_at ?? null;
  const period = {
    current_period_start: periodEnd && before(periodEnd, subscription),
    current_period_end: periodEnd,
  };
  return {
    kind: 'subscription',
    row: {
      id,
      customer_id: ownedId(subscription.customer_id),
      ...ownerOf([metadata], defaults),
      defaulted: defaultedColumns(metadata, defaults),
      status,
      collection_method: 'charge_automatically',
      days_until_due: null,
      pause_behavior: null,
      pause_resumes_at: subscription.resume_at ?? null,
      currency,
      ...period,
      cancel_at_period_end: false,
      cancel_at: subscription.cancel_at ?? null,
      canceled_at: canceledAt,
      ended_at: status === 'canceled' ? (canceledAt ?? subscription.updated_at ?? null) : null,
      trial_end: null,
      created_at: subscription.created_at,
      version: versionOf(subscription, status === 'canceled' ? 1 : 0, SUBSCRIPTION_ORDER, status),
      raw: object,
    },
    items: [
      {
        id: `${id}:item`,
        subscription_id: id,
        price_id: priceOf(subscription),
        product_id: metadata?.product_id ?? null,
        quantity: 1,
        unit_amount: subscription.price,
        currency,
        recurring_interval: subscription.interval_unit,
        ...period,
        position: 0,
      },
    ],
    partialItems: false,
  };
}

/** The beginning of the period that ends then. */
function before(
  end: Date,
  { interval_unit: unit, interval_count: count }: { interval_unit: 'week' | 'month' | 'year'; interval_count: number },
): Date {
  const start = new Date(end);
  if (unit === 'week') start.setUTCDate(start.getUTCDate() - 7 * count);
  else start.setUTCMonth(start.getUTCMonth() - count * (unit === 'year' ? 12 : 1));
  return start;
}

/**
 * @param deleted the event deletes the customer
 * @throws InvalidRequestError naming the fields that are not as Tilled documents them
 */
export function customerState(object: unknown, defaults: StateDefaults, deleted: boolean): StateOf<'customer'> {
  const customer = check(customerShape, object, 'customer');
  const name = [customer.first_name, customer.middle_name, customer.last_name].filter(Boolean).join(' ');
  return {
    kind: 'customer',
    row: {
      id: ownedId(customer.id),
      ...ownerOf([customer.metadata], defaults),
      defaulted: defaultedColumns(customer.metadata, defaults),
      email: customer.email ?? null,
      name: name || null,
      currency: null,
      delinquent: null,
      deleted,
      created_at: customer.created_at,
      first_seen_at: customer.created_at,
      version: versionOf(customer, deleted ? 1 : 0, [], ''),
      raw: object,
    },
  };
}

/**
 * A merchant account. Capabilities that are active tell what it may do.
 *
 * @throws InvalidRequestError naming the fields that are not as Tilled documents them
 */
export function accountState(object: unknown, defaults: StateDefaults): StateOf<'account'> {
  const account = check(accountShape, object, 'account');
  const status = account.status ?? 'created';
  const capable = (account.capabilities ?? []).some((capability) => capability.status === 'active');
  const restricted = RESTRICTED_ACCOUNTS.has(status);
  const due = (account.capabilities ?? []).flatMap(({ requirements_errors: errors }) =>
    (errors ?? []).flatMap(({ code }) => (code ? [code] : [])),
  );
  return {
    kind: 'account',
    row: {
      id: ownedId(account.id),
      ...ownerOf([account.metadata], defaults),
      charges_enabled: capable && !restricted,
      payouts_enabled: capable && !restricted,
      details_submitted: !['created', 'started'].includes(status),
      restricted,
      account_restricted: restricted,
      disabled_reason: restricted ? status : null,
      requirements_due: [...new Set(due)],
      created_at: account.created_at,
      version: versionOf(account, 0, [], ''),
      raw: object,
    },
    restricted,
  };
}

/** @throws InvalidRequestError naming the fields that are not as Tilled documents them */
export function payoutState(object: unknown, accountId: string): StateOf<'payout'> {
  const payout = check(payoutShape, object, 'payout');
  const { status } = payout;
  return {
    kind: 'payout',
    row: {
      id: ownedId(payout.id),
      account_id: ownedId(payout.account_id ?? accountId),
      status,
      amount: payout.amount,
      currency: payout.currency,
      method: null,
      automatic: true,
      // Tilled names no day of arrival.
      arrives_at: null,
      failure_code: payout.failure_code ?? null,
      failure_message: payout.description ?? null,
      retry_of: null,
      created_at: payout.created_at,
      version: versionOf(payout, PAYOUT_PROGRESS[status] ?? 0, PAYOUT_ORDER, status),
      raw: object,
    },
  };
}
