import type { ObjectRow } from '../../billing/columns';
import type { StateOf } from '../../billing/object-state';
import { defaultedColumns, NO_DEFAULTS, ownerOf, type StateDefaults } from '../../billing/owner';
import { rankOf, versionKey, type StateOrigin } from '../../billing/version';
import { dateOf, readObject } from './read-object';
import { accountShape, authorizationShape, capabilityShape, customerShape } from './shapes';

/** Capabilities without which an account takes no payments or is not paid; others are further ways of paying. */
const NEEDED_CAPABILITIES = ['card_payments', 'legacy_payments', 'transfers'];
/** Statuses of a capability that was taken away; one that is `pending` or was never asked for is none of these. */
const LOST_STATUSES: readonly unknown[] = ['inactive', 'disabled'];

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
 * A Connect account. It is restricted when Stripe blocks its payouts or charges, reports a past-due requirement, or
 * takes a capability away that both need: its owner has to complete the onboarding.
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
  const lacksCapability = NEEDED_CAPABILITIES.some((name) => LOST_STATUSES.includes(account.capabilities?.[name]));
  const restricted =
    !payoutsEnabled || !account.charges_enabled || disabledReason !== null || pastDue.length > 0 || lacksCapability;
  const row: ObjectRow<'account'> = {
    id: account.id,
    ...ownerOf([account.metadata], defaults),
    charges_enabled: account.charges_enabled,
    payouts_enabled: payoutsEnabled,
    details_submitted: account.details_submitted ?? false,
    restricted,
    account_restricted: restricted,
    disabled_reason: disabledReason,
    requirements_due: [...new Set([...pastDue, ...due])],
    created_at: dateOf(account.created),
    version: versionKey({ progress: 0, rank: 0, ...origin }),
    raw: object,
  };
  return { kind: 'account', row, restricted };
}

/** Cause of a restriction, as stored. */
const DEAUTHORIZED = 'deauthorized';

/**
 * Whether the account lost a capability that it needs.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function capabilityState(object: unknown, origin: StateOrigin): StateOf<'account_restriction'> {
  const { id, account, status } = readObject(capabilityShape, object, 'capability');
  const active = NEEDED_CAPABILITIES.includes(id) && LOST_STATUSES.includes(status);
  const restriction = accountRestriction({ account_id: account, cause: `capability:${id}`, active }, object, origin);
  // Stripe may have restricted the account, or merely ask for something.
  return { ...restriction, accountUnknown: active };
}

/**
 * Whether the platform was removed from the account, or let in.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function authorizationState(object: unknown, origin: StateOrigin): StateOf<'account_restriction'> {
  const { account, authorized } = readObject(authorizationShape, object, 'event');
  const restriction = accountRestriction(
    { account_id: account, cause: DEAUTHORIZED, active: !authorized },
    object,
    origin,
  );
  // Nothing was heard of it while the platform was out.
  return { ...restriction, accountUnknown: authorized };
}

function accountRestriction(
  columns: { readonly account_id: string; readonly cause: string; readonly active: boolean },
  raw: unknown,
  origin: StateOrigin,
): StateOf<'account_restriction'> {
  const { account_id: account, cause, active } = columns;
  // Within one second, the restriction counts: it is looked at, and Stripe is asked.
  const version = versionKey({ progress: 0, rank: active ? 1 : 0, ...origin });
  return { kind: 'account_restriction', row: { id: `${account}/${cause}`, ...columns, version, raw } };
}
