import type Stripe from 'stripe';
import { Collection } from './collection';
import { LIST_PARAMETERS, pageOf, Parameters, StripeRefusal } from './listing';
import { firstNested } from './nested-lists';
import { nestedList } from './objects';
import type { StripeState } from './state';

/** Stripe lists only the events of the last 30 days. */
const EVENT_RETENTION_SECONDS = 30 * 86_400;
const MAX_EVENT_TYPES = 20;

type Listed = { id: string; created: number };

interface Endpoint<T extends Listed> {
  /** The name of the object in Stripe's error "No such …". */
  readonly noun: string;
  /** Parameters beyond those of every list. */
  readonly parameters: readonly string[];
  readonly collection: Collection<T>;
  readonly filter: (parameters: Parameters) => (object: T) => boolean;
  /** Creation time of the oldest object that is listed, in seconds. @default all are */
  readonly earliest?: () => number;
  /** Fields that `expand` may name, without `data.`, and what stands in the field of this object then. */
  readonly expandable?: Readonly<Record<string, (object: T) => object | undefined>>;
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

/**
 * The test clock that an object belongs to, by itself or by its customer. Only a list for that clock, customer or
 * subscription has it.
 */
function clockFilter(state: StripeState, parameters: Parameters): (object: Listed) => boolean {
  const clock = parameters.get('test_clock');
  if (clock !== undefined && !state.testClocks.has(clock)) {
    throw new StripeRefusal(404, `No such test clock: '${clock}'`, { code: 'resource_missing', param: 'test_clock' });
  }
  if (clock === undefined && (parameters.get('customer') ?? parameters.get('subscription')) !== undefined) {
    return () => true;
  }
  return (object) => clockOf(state, object) === clock;
}

function clockOf(state: StripeState, object: Listed): string | undefined {
  const { test_clock: own, customer } = object as { test_clock?: string | null; customer?: string | null };
  return own ?? (state.customers.get(customer ?? '')?.test_clock as string | null | undefined) ?? undefined;
}

function subscriptions(state: StripeState): Endpoint<Stripe.Subscription> {
  return {
    noun: 'subscription',
    parameters: ['status', 'customer', 'test_clock'],
    collection: state.subscriptions,
    filter: (parameters) => {
      const filters = [
        bySubscriptionStatus(parameters),
        byFields<Stripe.Subscription>(parameters, ['customer']),
        clockFilter(state, parameters),
      ];
      return (subscription) => filters.every((holds) => holds(subscription));
    },
    expandable: { customer: customerOf(state) },
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
    earliest: () => state.now() - EVENT_RETENTION_SECONDS,
    filter: byEventType,
  };
}

/** A list that only has filters by fields. */
function plain<T extends Listed>(
  state: StripeState,
  noun: string,
  collection: Collection<T>,
  fields: readonly (keyof T & string)[] = [],
  expandable: Endpoint<T>['expandable'] = {},
): Endpoint<T> {
  return {
    noun,
    parameters: fields,
    collection,
    filter: (parameters) => {
      const [fieldsMatch, clockMatches] = [byFields<T>(parameters, fields), clockFilter(state, parameters)];
      return (object) => fieldsMatch(object) && clockMatches(object);
    },
    expandable,
  };
}

function invoices(state: StripeState): Endpoint<Stripe.Invoice & Listed> {
  const collection = state.invoices as Collection<Stripe.Invoice & Listed>;
  const endpoint = plain(state, 'invoice', collection, ['customer', 'status'], {
    payments: (invoice) =>
      nestedList(
        '/v1/invoice_payments',
        state.invoicePayments.newestFirst().filter((payment) => payment.invoice === invoice.id),
      ),
  });
  return {
    ...endpoint,
    parameters: [...endpoint.parameters, 'subscription'],
    filter: (parameters) => {
      const [matches, subscription] = [endpoint.filter(parameters), parameters.get('subscription')];
      return (invoice) =>
        matches(invoice) &&
        (subscription === undefined || invoice.parent?.subscription_details?.subscription === subscription);
    },
  };
}

function customers(state: StripeState): Endpoint<Stripe.Customer> {
  const endpoint = plain(state, 'customer', state.customers, ['email']);
  return { ...endpoint, parameters: [...endpoint.parameters, 'test_clock'] };
}

function customerOf(state: StripeState): (object: { customer?: unknown }) => object | undefined {
  return ({ customer }) => (typeof customer === 'string' ? state.customers.get(customer) : undefined);
}

function intentWithCharge(state: StripeState): (object: { payment_intent?: unknown }) => object | undefined {
  return ({ payment_intent: id }) => {
    const intent = typeof id === 'string' ? state.paymentIntents.get(id) : undefined;
    if (intent === undefined) return undefined;
    const { latest_charge: charge } = intent;
    return { ...intent, latest_charge: (typeof charge === 'string' ? state.charges.get(charge) : charge) ?? charge };
  };
}

/** Answers a request for one object or for a list. */
function serve<T extends Listed>(endpoint: Endpoint<T>): Responder {
  return (path, id, query) => {
    if (id !== undefined) {
      const object = requireObject(endpoint, id);
      return expander(endpoint, new Parameters(query, ['expand']), '')(firstNested(object));
    }
    const parameters = new Parameters(query, [...LIST_PARAMETERS, ...endpoint.parameters]);
    const { data, has_more } = pageOf(
      endpoint.collection,
      endpoint.filter(parameters),
      parameters,
      endpoint.earliest?.(),
    );
    const expand = expander(endpoint, parameters, 'data.');
    return { object: 'list', url: path, data: data.map((object) => expand(firstNested(object))), has_more };
  };
}

function requireObject<T extends Listed>({ collection, noun, earliest }: Endpoint<T>, id: string): T {
  const object = collection.get(id);
  if (object === undefined || object.created < (earliest?.() ?? 0)) {
    throw new StripeRefusal(404, `No such ${noun}: '${id}'`, { code: 'resource_missing', param: 'id' });
  }
  return object;
}

/** Replaces the ids in the fields that `expand[]` names by the objects. */
function expander<T extends Listed>(
  { expandable }: Endpoint<T>,
  parameters: Parameters,
  prefix: '' | 'data.',
): (object: T) => T {
  const wanted = (parameters.list('expand') ?? []).map((path) => {
    const field = path.startsWith(prefix) ? path.slice(prefix.length) : '';
    const find = expandable?.[field];
    if (find === undefined) {
      throw new StripeRefusal(400, `This property cannot be expanded (${path}).`, { param: 'expand' });
    }
    // `payment_intent.latest_charge` is an object within the one in the field `payment_intent`.
    return { field: field.split('.')[0] ?? field, find };
  });
  return (object) => {
    const expanded = wanted.flatMap(({ field, find }) => {
      const found = find(object);
      return found === undefined ? [] : [[field, found]];
    });
    return { ...object, ...Object.fromEntries(expanded) } as T;
  };
}

/** All lines of one invoice. */
function invoiceLines(state: StripeState): Responder {
  return (path, id = '', query) => {
    const invoice = requireObject(invoices(state), id);
    const lines = new Collection<Stripe.InvoiceLineItem & { created: number }>();
    for (const line of (invoice.lines?.data ?? []).toReversed()) lines.put({ ...line, created: invoice.created });
    return { object: 'list', url: path, ...pageOf(lines, () => true, new Parameters(query, LIST_PARAMETERS)) };
  };
}

/** Answers `GET path`, with `id` undefined, or `GET path/id`. */
export type Responder = (path: string, id: string | undefined, query: URLSearchParams) => object;

/** The endpoints of the stand-in, by path; `*` stands for an id. */
export function endpointsOf(state: StripeState): ReadonlyMap<string, Responder> {
  const chargeOf = ({ charge }: { charge?: unknown }) =>
    typeof charge === 'string' ? state.charges.get(charge) : undefined;
  const sessionFields = ['customer', 'payment_intent', 'status', 'subscription'] as const;
  return new Map([
    ['/v1/events', serve(events(state))],
    ['/v1/subscriptions', serve(subscriptions(state))],
    ['/v1/subscription_items', subscriptionItems(state)],
    [
      '/v1/checkout/sessions',
      serve(
        plain(state, 'checkout.session', state.sessions, sessionFields, {
          customer: customerOf(state),
          'payment_intent.latest_charge': intentWithCharge(state),
        }),
      ),
    ],
    ['/v1/charges', serve(plain(state, 'charge', state.charges, ['customer', 'payment_intent']))],
    ['/v1/refunds', serve(plain(state, 'refund', state.refunds, ['charge', 'payment_intent'], { charge: chargeOf }))],
    ['/v1/customers', serve(customers(state))],
    ['/v1/invoices', serve(invoices(state))],
    ['/v1/invoices/*/lines', invoiceLines(state)],
    ['/v1/invoice_payments', serve(plain(state, 'invoice_payment', state.invoicePayments, ['invoice', 'status']))],
    ['/v1/payment_intents', serve(plain(state, 'payment_intent', state.paymentIntents, ['customer']))],
    ['/v1/disputes', serve(plain(state, 'dispute', state.disputes, ['charge', 'payment_intent']))],
    [
      '/v1/radar/early_fraud_warnings',
      serve(plain(state, 'early fraud warning', state.earlyFraudWarnings, ['charge', 'payment_intent'])),
    ],
    ['/v1/webhook_endpoints', (path) => ({ object: 'list', url: path, data: state.webhookEndpoints, has_more: false })],
    ['/v1/accounts', serve(plain(state, 'account', state.accounts))],
  ]);
}
