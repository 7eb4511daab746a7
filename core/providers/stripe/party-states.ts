import {
  NO_DEFAULTS,
  owner,
  parse,
  time,
  type ObjectState,
  type StateDefaults,
  rankOf,
} from '../../billing/object-state';
import { accountShape, customerShape } from './shapes';
import { versionKey, type StateOrigin } from '../../billing/version';

/**
 * @param deleted the event says that the customer was deleted; the object itself may not
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function customerState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
  deleted = false,
): ObjectState {
  const customer = parse(customerShape, object, 'customer');
  const gone = deleted || customer.deleted === true;
  const row = {
    id: customer.id,
    customer_id: customer.id,
    ...owner([customer.metadata], defaults),
    email: customer.email ?? null,
    name: customer.name ?? null,
    currency: customer.currency ?? null,
    delinquent: customer.delinquent ?? null,
    deleted: gone,
    created_at: time(customer.created),
    // A deleted customer does not say when it was made.
    first_seen_at: time(customer.created ?? origin.moment),
    version: versionKey({ progress: gone ? 1 : 0, rank: rankOf([], null, origin), ...origin }),
    raw: object,
  };
  return { kind: 'customer', row };
}

/**
 * A Connect account. It is restricted when Stripe holds its payouts or its charges back, or says that something is past
 * due: its owner has to complete the onboarding (G2).
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function accountState(object: unknown, origin: StateOrigin, defaults: StateDefaults = NO_DEFAULTS): ObjectState {
  const account = parse(accountShape, object, 'account');
  const { requirements, verification } = account;
  const payoutsEnabled = account.payouts_enabled ?? account.transfers_enabled ?? false;
  const disabledReason = requirements?.disabled_reason ?? verification?.disabled_reason ?? null;
  const pastDue = requirements?.past_due ?? [];
  const due = requirements?.currently_due ?? verification?.fields_needed ?? [];
  const restricted = !payoutsEnabled || !account.charges_enabled || disabledReason !== null || pastDue.length > 0;
  const row = {
    id: account.id,
    customer_id: null,
    ...owner([account.metadata], defaults),
    charges_enabled: account.charges_enabled,
    payouts_enabled: payoutsEnabled,
    details_submitted: account.details_submitted ?? false,
    restricted,
    disabled_reason: disabledReason,
    requirements_due: [...new Set([...pastDue, ...due])],
    created_at: time(account.created),
    version: versionKey({ progress: 0, rank: 0, ...origin }),
    raw: object,
  };
  return { kind: 'account', row, restricted };
}
