import type Stripe from 'stripe';
import { Collection } from './collection';
import { LIST_PARAMETERS, pageOf, Parameters, StripeRefusal } from './listing';
import { nowSeconds } from './objects';
import type { StripeState } from './state';

/** Stripe lists only the events of the last 30 days. */
const EVENT_RETENTION_SECONDS = 30 * 86_400;
const MAX_EVENT_TYPES = 20;
/** Items that a subscription carries; the list of items has them all. */
const NESTED_ITEMS = 10;

interface Endpoint<T extends { id: string; created: number }> {
  /** The name of the object in Stripe's error "No such …". */
  readonly noun: string;
  /** Parameters beyond those of every list. */
  readonly parameters: readonly string[];
  readonly collection: Collection<T>;
  readonly filter: (parameters: Parameters) => (object: T) => boolean;
  /** Creation time of the oldest object that is listed, in seconds. @default all are */
  readonly earliest?: () => number;
  /** The part of an object that an answer carries. @default all of it */
  readonly listed?: (object: T) => T;
  /** Fields that `expand` may name in a list, without `data.`, and how to find the object by its id. */
  readonly expandable?: Readonly<Record<string, (id: string) => object | undefined>>;
}

/** A filter by parameters that have the name of the field. */
function byFields<T>(parameters: Parameters, names: readonly (keyof T & string)[]): (object: T) => boolean {
  return (object) => names.every((name) => parameters.get(name) === undefined || object[name] === parameters.get(name));
}

/** Without `status`, Stripe leaves out canceled subscriptions. */
function bySubscriptionStatus(parameters: Parameters): (subscription: Stripe.Subscription) => boolean {
  const status = parameters.get('status');
  if (status === 'all') return () => true;
  if (status === undefined) return (subscription) => subscription.status !== 'canceled';
  if (status === 'ended') return (subscription) => ['canceled', 'incomplete_expired'].includes(subscription.status);
  return (subscription) => subscription.status === status;
}

function byEventType(parameters: Parameters): (event: Stripe.Event) => boolean {
  const [type, types] = [parameters.get('type'), parameters.list('types')];
  if (type !== undefined && types !== undefined) {
    throw new StripeRefusal(400, 'You may only specify one of these parameters: type, types.', { param: 'type' });
  }
  if (types !== undefined && types.length > MAX_EVENT_TYPES) {
    throw new StripeRefusal(400, `Array too long: types may have at most ${MAX_EVENT_TYPES} elements`, {
      param: 'types',
    });
  }
  const wanted = types ?? (type === undefined ? undefined : [type]);
  const matches = (pattern: string, actual: string): boolean =>
    pattern.endsWith('*') ? actual.startsWith(pattern.slice(0, -1)) : pattern === actual;
  return (event) => wanted === undefined || wanted.some((pattern) => matches(pattern, event.type));
}

function subscriptions(state: StripeState): Endpoint<Stripe.Subscription> {
  return {
    noun: 'subscription',
    parameters: ['status', 'customer'],
    collection: state.subscriptions,
    filter: (parameters) => {
      const [status, customer] = [
        bySubscriptionStatus(parameters),
        byFields<Stripe.Subscription>(parameters, ['customer']),
      ];
      return (subscription) => status(subscription) && customer(subscription);
    },
    listed: (subscription) => {
      const { items } = subscription;
      if (items.data.length <= NESTED_ITEMS) return subscription;
      return { ...subscription, items: { ...items, data: items.data.slice(0, NESTED_ITEMS), has_more: true } };
    },
  };
}

/** The items of the subscription that the request names. */
function subscriptionItems(state: StripeState): Responder {
  return (path, _id, query) => {
    const parameters = new Parameters(query, [...LIST_PARAMETERS, 'subscription']);
    const id = parameters.get('subscription');
    if (id === undefined)
      throw new StripeRefusal(400, 'Missing required param: subscription.', { param: 'subscription' });
    const items = new Collection<Stripe.SubscriptionItem>();
    // A collection lists the newest first: added in reverse, the items are listed in the subscription's order.
    for (const item of state.subscriptions.require(id).items.data.toReversed()) items.put(item);
    return { object: 'list', url: path, ...pageOf(items, () => true, parameters) };
  };
}

function events(state: StripeState): Endpoint<Stripe.Event> {
  return {
    noun: 'event',
    parameters: ['type', 'types'],
    collection: state.events,
    earliest: () => nowSeconds() - EVENT_RETENTION_SECONDS,
    filter: byEventType,
  };
}

function checkoutSessions(state: StripeState): Endpoint<Stripe.Checkout.Session> {
  return {
    noun: 'checkout.session',
    parameters: ['customer', 'payment_intent', 'status', 'subscription'],
    collection: state.sessions,
    filter: (parameters) => byFields(parameters, ['customer', 'payment_intent', 'status', 'subscription']),
  };
}

function charges(state: StripeState): Endpoint<Stripe.Charge> {
  return {
    noun: 'charge',
    parameters: ['customer', 'payment_intent'],
    collection: state.charges,
    filter: (parameters) => byFields(parameters, ['customer', 'payment_intent']),
  };
}

function refunds(state: StripeState): Endpoint<Stripe.Refund> {
  return {
    noun: 'refund',
    parameters: ['charge', 'payment_intent'],
    collection: state.refunds,
    filter: (parameters) => byFields(parameters, ['charge', 'payment_intent']),
    expandable: { charge: (id) => state.charges.get(id) },
  };
}

function customers(state: StripeState): Endpoint<Stripe.Customer> {
  return {
    noun: 'customer',
    parameters: ['email'],
    collection: state.customers,
    filter: (parameters) => byFields(parameters, ['email']),
  };
}

/** Answers a request for one object or for a list. */
function serve<T extends { id: string; created: number }>(endpoint: Endpoint<T>): Responder {
  return (path, id, query) => {
    if (id !== undefined) {
      new Parameters(query, []);
      const object = endpoint.collection.get(id);
      if (object === undefined || object.created < (endpoint.earliest?.() ?? 0)) {
        const details = { code: 'resource_missing', param: 'id' };
        throw new StripeRefusal(404, `No such ${endpoint.noun}: '${id}'`, details);
      }
      return endpoint.listed?.(object) ?? object;
    }
    const parameters = new Parameters(query, [...LIST_PARAMETERS, ...endpoint.parameters]);
    const { data, has_more } = pageOf(
      endpoint.collection,
      endpoint.filter(parameters),
      parameters,
      endpoint.earliest?.(),
    );
    const expand = expander(endpoint, parameters);
    return {
      object: 'list',
      url: path,
      data: data.map((object) => expand(endpoint.listed?.(object) ?? object)),
      has_more,
    };
  };
}

/** Replaces the ids in the fields that `expand[]` names by the objects. */
function expander<T extends { id: string; created: number }>(
  { expandable }: Endpoint<T>,
  parameters: Parameters,
): (object: T) => T {
  const wanted = (parameters.list('expand') ?? []).map((path) => {
    const field = path.replace(/^data\./, '');
    const find = path.startsWith('data.') ? expandable?.[field] : undefined;
    if (find === undefined) {
      throw new StripeRefusal(400, `This property cannot be expanded (${path}).`, { param: 'expand' });
    }
    return { field, find };
  });
  return (object) => {
    const expanded = wanted.flatMap(({ field, find }) => {
      const id: unknown = object[field as keyof T];
      return typeof id === 'string' ? [[field, find(id) ?? id]] : [];
    });
    return { ...object, ...Object.fromEntries(expanded) } as T;
  };
}

/** Answers `GET path`, with `id` undefined, or `GET path/id`. */
export type Responder = (path: string, id: string | undefined, query: URLSearchParams) => object;

/** The endpoints of the stand-in, by path. */
export function endpointsOf(state: StripeState): ReadonlyMap<string, Responder> {
  return new Map([
    ['/v1/events', serve(events(state))],
    ['/v1/subscriptions', serve(subscriptions(state))],
    ['/v1/subscription_items', subscriptionItems(state)],
    ['/v1/checkout/sessions', serve(checkoutSessions(state))],
    ['/v1/charges', serve(charges(state))],
    ['/v1/refunds', serve(refunds(state))],
    ['/v1/customers', serve(customers(state))],
  ]);
}
