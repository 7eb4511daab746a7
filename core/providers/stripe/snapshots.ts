import Stripe from 'stripe';
import type { ObjectState } from '../../billing/object-state';
import type { StateDefaults } from '../../billing/owner';
import type { StateOrigin } from '../../billing/version';
import { OperationError } from '../../runtime/errors';
import { disputeState, earlyFraudWarningState, invoicePaymentState } from './dispute-states';
import type { CallStripe } from './paced-caller';
import { pagesOf, type ListPage } from './pages';
import { accountState, customerState } from './party-states';
import { chargeStates, paymentIntentState, refundState } from './payment-states';
import { payoutState } from './payout-states';
import { listInvoiceLines, listSubscriptionItems, RETRIEVE, type SnapshotKind } from './requests';
import { toStorable } from './storable';
import { invoiceState, purchaseState, subscriptionState } from './subscription-states';

type StatesOf = (
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults,
  account: string | null,
) => readonly ObjectState[];

/** The states that an event about the same object would have, by kind. */
const STATES: Readonly<Record<SnapshotKind, StatesOf>> = {
  subscription: (object, origin, defaults) => [subscriptionState(object, origin, defaults)],
  invoice: (object, origin, defaults) => [invoiceState(object, origin, defaults)],
  purchase: (object, origin, defaults) => [purchaseState(object, origin, defaults)],
  payment_intent: (object, origin, defaults) => [paymentIntentState(object, origin, defaults)],
  charge: (object, origin, defaults) => chargeStates(object, origin, defaults),
  refund: (object, origin) => [refundState(object, origin)],
  customer: (object, origin, defaults) => [customerState(object, origin, defaults)],
  account: (object, origin, defaults) => [accountState(object, origin, defaults)],
  dispute: (object, origin) => [disputeState(object, origin)],
  early_fraud_warning: (object, origin) => [earlyFraudWarningState(object, origin)],
  invoice_payment: (object, origin) => [invoicePaymentState(object, origin)],
  payout: (object, origin, _defaults, account) => [payoutState(object, account, origin)],
};

export function isSnapshotKind(kind: string): kind is SnapshotKind {
  return Object.hasOwn(STATES, kind);
}

/** Kinds by the prefix of their ids. */
const PREFIXES: Readonly<Record<string, SnapshotKind>> = {
  sub: 'subscription',
  in: 'invoice',
  cs: 'purchase',
  pi: 'payment_intent',
  ch: 'charge',
  py: 'charge',
  re: 'refund',
  pyr: 'refund',
  cus: 'customer',
  acct: 'account',
  dp: 'dispute',
  du: 'dispute',
  issfr: 'early_fraud_warning',
  inpay: 'invoice_payment',
  po: 'payout',
};

/** What an id may begin with, as an error names it. */
export const SNAPSHOT_PREFIXES: readonly string[] = Object.keys(PREFIXES).map((prefix) => `${prefix}_`);

/** The kind of the object with this id; `undefined` when no kind has ids like it. */
export function kindOfId(id: string): SnapshotKind | undefined {
  const [prefix = ''] = id.split('_', 1);
  return id.includes('_') && Object.hasOwn(PREFIXES, prefix) ? PREFIXES[prefix] : undefined;
}

/** An object as Stripe has it. */
export interface Snapshot {
  readonly object: object;
  /** Seconds since 1970 at which it was requested; see `Answer`. */
  readonly requestedAtSeconds: number;
  /** Connected account that has it. @default the platform's own */
  readonly account?: string | null;
}

/**
 * The states of an object that was read from Stripe, as old as its request: an event of that second or a later one is newer.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function snapshotStates(
  kind: SnapshotKind,
  { object, requestedAtSeconds, account = null }: Snapshot,
  defaults: StateDefaults,
): readonly ObjectState[] {
  return STATES[kind](toStorable(object), { moment: requestedAtSeconds, eventId: '' }, defaults, account);
}

/** What it takes to call Stripe. */
export interface StripeAccess {
  readonly stripe: Stripe;
  readonly call: CallStripe;
}

/**
 * Reads an object from Stripe, with all of its items or lines.
 *
 * @param account the connected account that has it; null for the platform's own
 * @returns `undefined` when Stripe does not have it, or the platform has no access to the account any more
 * @throws OperationError `stripe_unavailable` (retryable), `stripe_refused`
 */
export async function readSnapshot(
  access: StripeAccess,
  kind: SnapshotKind,
  id: string,
  account: string | null = null,
): Promise<Snapshot | undefined> {
  const retrieve: (stripe: Stripe, id: string, account: string | null) => Promise<Stripe.Response<object>> =
    RETRIEVE[kind];
  try {
    const { value, requestedAtSeconds } = await access.call(() => retrieve(access.stripe, id, account));
    return { object: await wholeObject(access, kind, value), requestedAtSeconds, account };
  } catch (error) {
    if (isMissingAtStripe(error)) return undefined;
    throw error;
  }
}

/** Whether Stripe answered that it does not have what was asked for, or that it is out of the platform's reach. */
export function isMissingAtStripe(error: unknown): boolean {
  const cause = error instanceof OperationError ? error.cause : error;
  if (!(cause instanceof Stripe.errors.StripeError)) return false;
  // An account that removed the platform is answered 403.
  return cause.statusCode === 404 || cause.code === 'account_invalid';
}

function wholeObject(access: StripeAccess, kind: SnapshotKind, object: object): Promise<object> | object {
  if (kind === 'subscription') return wholeSubscription(access, object as Stripe.Subscription);
  return kind === 'invoice' ? wholeInvoice(access, object as Stripe.Invoice) : object;
}

/** A subscription carries about ten items; the others would count as removed. */
export async function wholeSubscription(
  access: StripeAccess,
  subscription: Stripe.Subscription,
): Promise<Stripe.Subscription> {
  const { id, items } = subscription;
  if (!items.has_more) return subscription;
  return { ...subscription, items: await wholeList(access, items, listSubscriptionItems(access.stripe, id)) };
}

/** An invoice carries about ten lines; what the others paid for would count as unpaid. */
export async function wholeInvoice<Invoice extends Stripe.Invoice>(
  access: StripeAccess,
  invoice: Invoice,
): Promise<Invoice> {
  const { id, lines } = invoice;
  if (!lines?.has_more || id === undefined) return invoice;
  return { ...invoice, lines: await wholeList(access, lines, listInvoiceLines(access.stripe, id)) };
}

async function wholeList<T extends { id: string }>(
  { call }: StripeAccess,
  part: Stripe.ApiList<T>,
  list: ListPage<T>,
): Promise<Stripe.ApiList<T>> {
  const data: T[] = [];
  const never = new AbortController().signal;
  for await (const { objects } of pagesOf(call, list, [{}], never)) data.push(...objects);
  return { ...part, data, has_more: false };
}
