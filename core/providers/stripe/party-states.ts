import type { ObjectRow } from '../../billing/columns';
import type { StateOf } from '../../billing/object-state';
import { defaultedColumns, NO_DEFAULTS, ownerOf, type StateDefaults } from '../../billing/owner';
import { rankOf, versionKey, type StateOrigin } from '../../billing/version';
import { dateOf, readObject } from './read-object';
import { accountShape, customerShape } from './shapes';

/**
 * The functions here take objects that passed `toStorable`: what they return is stored as it is.
 *
 * @param deleted the event deletes the customer; the object itself may lack `deleted`
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function customerState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
  deleted = false,
): StateOf<'customer'> {
  const customer = readObject(customerShape, object, 'customer');
  const gone = deleted || customer.deleted === true;
  const row: ObjectRow<'customer'> = {
    id: customer.id,
    ...ownerOf([customer.metadata], defaults),
    defaulted: defaultedColumns(customer.metadata, defaults),
    email: customer.email ?? null,
    name: customer.name ?? null,
    currency: customer.currency ?? null,
    delinquent: customer.delinquent ?? null,
    deleted: gone,
    created_at: dateOf(customer.created),
    // A deleted customer carries no creation time.
    first_seen_at: dateOf(customer.created ?? origin.moment),
    version: versionKey({ progress: gone ? 1 : 0, rank: rankOf([], null, origin), ...origin }),
    raw: object,
  };
  return { kind: 'customer', row };
}

/**
 * A Connect account. It is restricted when Stripe blocks its payouts or charges, or reports a past-due requirement: its
 * owner has to complete the onboarding.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function accountState(
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults = NO_DEFAULTS,
): StateOf<'account'> {
  const account = readObject(accountShape, object, 'account');
  const { requirements, verification } = account;
  const payoutsEnabled = account.payouts_enabled ?? account.transfers_enabled ?? false;
  const disabledReason = requirements?.disabled_reason ?? verification?.disabled_reason ?? null;
  const pastDue = requirements?.past_due ?? [];
  const due = requirements?.currently_due ?? verification?.fields_needed ?? [];
  const restricted = !payoutsEnabled || !account.charges_enabled || disabledReason !== null || pastDue.length > 0;
  const row: ObjectRow<'account'> = {
    id: account.id,
    ...ownerOf([account.metadata], defaults),
    charges_enabled: account.charges_enabled,
    payouts_enabled: payoutsEnabled,
    details_submitted: account.details_submitted ?? false,
    restricted,
    disabled_reason: disabledReason,
    requirements_due: [...new Set([...pastDue, ...due])],
    created_at: dateOf(account.created),
    version: versionKey({ progress: 0, rank: 0, ...origin }),
    raw: object,
  };
  return { kind: 'account', row, restricted };
}
