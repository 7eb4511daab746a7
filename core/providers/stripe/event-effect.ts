import type { ObjectState } from '../../billing/object-state';
import { NO_DEFAULTS, type StateDefaults } from '../../billing/owner';
import type { StateOrigin } from '../../billing/version';
import { InvalidRequestError } from '../../runtime/errors';
import { disputeState, earlyFraudWarningState, invoicePaymentState } from './dispute-states';
import { accountState, authorizationState, capabilityState, customerState } from './party-states';
import { chargeStates, paymentIntentState, refundState } from './payment-states';
import { payoutState, transferState } from './payout-states';
import type { StripeEvent } from './shapes';
import { invoiceState, purchaseState, subscriptionState } from './subscription-states';

/** @param deleted the event deletes the object */
type StateFunction<States> = (
  object: unknown,
  origin: StateOrigin,
  defaults: StateDefaults,
  deleted: boolean,
) => States;

/** How the events of a type are applied. */
interface EventType {
  /** The `object` field of the object that the event carries. */
  readonly object: string;
  readonly states: StateFunction<ObjectState[]>;
  /** What the states are made of. @default the object that the event carries */
  readonly subject?: (event: StripeEvent) => unknown;
  /** The event deletes the object, whatever the object itself says. @default false */
  readonly deletes?: boolean;
  /**
   * The event reports something about the object and changes nothing in it: within its second, the object that it carries
   * counts less than that of any event which does. @default false
   */
  readonly informational?: boolean;
  /** Applied when it is delivered, but neither subscribed to nor looked for by reconciliation. @default true */
  readonly subscribed?: boolean;
}

/** For objects that yield one state: their own. */
const single =
  (stateOf: StateFunction<ObjectState>): StateFunction<ObjectState[]> =>
  (...given) => [stateOf(...given)];

const SUBSCRIPTION: EventType = { object: 'subscription', states: single(subscriptionState) };
const INVOICE: EventType = { object: 'invoice', states: single(invoiceState) };
const CHECKOUT_SESSION: EventType = { object: 'checkout.session', states: single(purchaseState) };
const PAYMENT_INTENT: EventType = { object: 'payment_intent', states: single(paymentIntentState) };
const CHARGE: EventType = { object: 'charge', states: chargeStates };
const REFUND: EventType = { object: 'refund', states: single(refundState) };
const CUSTOMER: EventType = { object: 'customer', states: single(customerState) };
const INVOICE_PAYMENT: EventType = { object: 'invoice_payment', states: single(invoicePaymentState) };
const DISPUTE: EventType = { object: 'dispute', states: single(disputeState) };
const EARLY_FRAUD_WARNING: EventType = {
  object: 'radar.early_fraud_warning',
  states: single(earlyFraudWarningState),
};
const ACCOUNT: EventType = { object: 'account', states: single(accountState) };
const CAPABILITY: EventType = { object: 'capability', states: single(capabilityState) };
const TRANSFER: EventType = { object: 'transfer', states: single(transferState) };
/** Which account is paid out, only the event says. */
const PAYOUT: EventType = {
  object: 'payout',
  subject: ({ account, data }) => ({ account, payout: data.object }),
  states: single(payoutOf),
};
/** The object is the application, which is the platform; the account is the one in which it happened. */
const authorization = (authorized: boolean): EventType => ({
  object: 'application',
  subject: ({ account }) => ({ account, authorized }),
  states: single(authorizationState),
});

/**
 * The event types that change something here; all others are recorded and acknowledged. `family.*` stands for the types of a
 * family that have no entry of their own. The order is that of the requests which list events.
 */
const EVENT_TYPES = new Map<string, EventType | 'recorded only'>([
  ['customer.subscription.created', SUBSCRIPTION],
  ['customer.subscription.updated', SUBSCRIPTION],
  ['customer.subscription.deleted', SUBSCRIPTION],
  ['invoice.updated', INVOICE],
  ['invoice.paid', INVOICE],
  ['invoice.payment_succeeded', INVOICE],
  ['invoice.payment_failed', INVOICE],
  ['invoice.voided', INVOICE],
  ['invoice.deleted', { ...INVOICE, deletes: true }],
  ['checkout.session.completed', CHECKOUT_SESSION],
  ['checkout.session.async_payment_succeeded', CHECKOUT_SESSION],
  ['checkout.session.async_payment_failed', CHECKOUT_SESSION],
  ['checkout.session.expired', CHECKOUT_SESSION],
  ['payment_intent.succeeded', PAYMENT_INTENT],
  ['payment_intent.payment_failed', PAYMENT_INTENT],
  ['charge.succeeded', CHARGE],
  ['charge.refunded', CHARGE],
  ['refund.created', REFUND],
  ['refund.updated', REFUND],
  ['refund.failed', REFUND],
  // These repeat the above sooner or in other words, or are about people and accounts.
  ['customer.created', CUSTOMER],
  ['customer.updated', CUSTOMER],
  ['customer.deleted', { ...CUSTOMER, deletes: true }],
  ['customer.subscription.paused', SUBSCRIPTION],
  ['customer.subscription.resumed', SUBSCRIPTION],
  ['invoice.created', INVOICE],
  ['invoice.finalized', INVOICE],
  ['invoice.marked_uncollectible', INVOICE],
  ['payment_intent.created', PAYMENT_INTENT],
  ['payment_intent.processing', PAYMENT_INTENT],
  ['payment_intent.requires_action', PAYMENT_INTENT],
  ['payment_intent.canceled', PAYMENT_INTENT],
  ['payment_intent.amount_capturable_updated', PAYMENT_INTENT],
  ['charge.pending', CHARGE],
  ['charge.captured', CHARGE],
  ['charge.failed', CHARGE],
  ['charge.expired', CHARGE],
  ['charge.updated', CHARGE],
  ['charge.refund.updated', REFUND],
  ['invoice_payment.paid', INVOICE_PAYMENT],
  ['charge.dispute.created', DISPUTE],
  ['charge.dispute.updated', DISPUTE],
  ['charge.dispute.closed', DISPUTE],
  ['charge.dispute.funds_withdrawn', DISPUTE],
  ['charge.dispute.funds_reinstated', DISPUTE],
  ['radar.early_fraud_warning.created', EARLY_FRAUD_WARNING],
  ['radar.early_fraud_warning.updated', EARLY_FRAUD_WARNING],
  ['account.updated', ACCOUNT],
  ['account.application.authorized', authorization(true)],
  ['account.application.deauthorized', authorization(false)],
  ['capability.updated', CAPABILITY],
  ['payout.created', PAYOUT],
  ['payout.updated', PAYOUT],
  ['payout.paid', PAYOUT],
  ['payout.failed', PAYOUT],
  ['payout.canceled', PAYOUT],
  ['transfer.created', TRANSFER],
  ['transfer.updated', TRANSFER],
  ['transfer.reversed', TRANSFER],
  // A preview of an invoice has no id and may never become one.
  ['invoice.upcoming', 'recorded only'],
  ['customer.subscription.*', { ...SUBSCRIPTION, subscribed: false, informational: true }],
  ['invoice.*', { ...INVOICE, subscribed: false, informational: true }],
  ['checkout.session.*', { ...CHECKOUT_SESSION, subscribed: false }],
  ['payment_intent.*', { ...PAYMENT_INTENT, subscribed: false }],
]);

/** The event types to subscribe the endpoint to, and those that reconciliation looks for. */
export const ENDPOINT_EVENT_TYPES: readonly string[] = [...EVENT_TYPES].flatMap(([type, handling]) =>
  handling === 'recorded only' || handling.subscribed === false ? [] : [type],
);

const SUBSCRIBED_TYPES = new Set(ENDPOINT_EVENT_TYPES);

/** Whether the endpoint is subscribed to the type. Metrics name only these, which bounds their number. */
export function isHandled(type: string): boolean {
  return SUBSCRIBED_TYPES.has(type);
}

/**
 * The states of the objects that an event carries; none when the platform does not act on it.
 *
 * @throws InvalidRequestError naming what of the object is not as Stripe documents it
 */
export function effectsOf(event: StripeEvent, defaults: StateDefaults = NO_DEFAULTS): ObjectState[] {
  // What happens in a connected account is its owner's business: a purchase there, whatever its metadata say, buys
  // nothing here. Only what Stripe says about the account itself counts, and whether it is paid out.
  if (isConnectedAccountEvent(event)) return [];
  const { type } = event;
  const handling = EVENT_TYPES.get(type) ?? EVENT_TYPES.get(familyOf(type));
  if (handling === undefined || handling === 'recorded only') return [];
  const carried = expectObject(event, handling.object);
  const object = handling.subject?.(event) ?? carried;
  const creation = type.endsWith('.created');
  const origin = { moment: event.created, eventId: handling.informational ? '' : event.id, creation };
  const states = handling.states(object, origin, defaults, handling.deletes ?? false);
  const before = creation ? null : formerValues(event);
  if (before === undefined) return states;
  return states.map((state) => (state.row.raw === carried ? { ...state, before } : state));
}

function payoutOf(subject: unknown, origin: StateOrigin): ObjectState {
  const { account, payout } = subject as { readonly account: string | null | undefined; readonly payout: unknown };
  return payoutState(payout, account ?? null, origin);
}

/** What Stripe says that the object's changed fields were before; only `*.updated` and a few others say it. */
function formerValues({ data }: StripeEvent): Record<string, unknown> | undefined {
  const previous = data.previous_attributes;
  const isObject = typeof previous === 'object' && previous !== null && !Array.isArray(previous);
  return isObject && Object.keys(previous).length > 0 ? (previous as Record<string, unknown>) : undefined;
}

/** `invoice.*` for `invoice.sent`. */
function familyOf(type: string): string {
  return `${type.slice(0, type.lastIndexOf('.'))}.*`;
}

/** Types of events that happen in a connected account and are about the account itself, or about what it is paid. */
const ACCOUNT_TYPES = new Set([
  'account.updated',
  'account.application.authorized',
  'account.application.deauthorized',
  'capability.updated',
  'payout.created',
  'payout.updated',
  'payout.paid',
  'payout.failed',
  'payout.canceled',
]);

/** Whether an event is about a connected account itself. */
export function isAccountEvent({ type }: Pick<StripeEvent, 'type'>): boolean {
  return ACCOUNT_TYPES.has(type);
}

/** Whether an event is about something in a connected account, and not about the account itself. */
export function isConnectedAccountEvent({ account, type }: Pick<StripeEvent, 'account' | 'type'>): boolean {
  return account != null && !isAccountEvent({ type });
}

function expectObject({ type, data }: StripeEvent, kind: string): Record<string, unknown> {
  if (data.object.object === kind) return data.object;
  throw new InvalidRequestError(`data.object.object: expected \`${kind}\` in an event of type ${type}`);
}
