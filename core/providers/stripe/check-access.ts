import type Stripe from 'stripe';
import { messageOf } from '../../runtime/errors';
import type { CallStripe } from './paced-caller';
import type { ListPage } from './pages';
import * as requests from './requests';

/** Whether the key may read a kind of object. */
export interface Permission {
  /** As Stripe's dashboard calls the permission. */
  readonly name: string;
  /** Stripe's answer; null where it is granted. */
  readonly refusal: string | null;
}

/** An endpoint that Stripe delivers events to. */
export interface DeliveryEndpoint {
  readonly url: string;
  readonly enabled: boolean;
  readonly apiVersion: string | null;
  /** `*` for all. */
  readonly types: readonly string[];
}

/** What the platform reads, by the permission that a restricted key needs for it. */
const READS = {
  Events: requests.listEvents,
  Subscriptions: requests.listSubscriptions,
  Invoices: requests.listInvoices,
  'Checkout Sessions': requests.listCheckoutSessions,
  PaymentIntents: requests.listPaymentIntents,
  'Charges and Refunds': requests.listCharges,
  Disputes: requests.listDisputes,
  Radar: requests.listEarlyFraudWarnings,
  Customers: requests.listCustomers,
} as const satisfies Readonly<Record<string, (stripe: Stripe) => ListPage<unknown>>>;

/** Asks for one object of each kind that the platform reads. */
export async function checkPermissions(stripe: Stripe, call: CallStripe): Promise<Permission[]> {
  return Promise.all(
    Object.entries<(stripe: Stripe) => ListPage<unknown>>(READS).map(async ([name, list]) => {
      try {
        await call(() => list(stripe)({}, { limit: 1 }));
        return { name, refusal: null };
      } catch (error) {
        return { name, refusal: messageOf(error) };
      }
    }),
  );
}

/** The endpoints of the account. @throws OperationError `stripe_refused` without the permission to read them */
export async function listDeliveryEndpoints(stripe: Stripe, call: CallStripe): Promise<DeliveryEndpoint[]> {
  const { data } = (await call(() => requests.listWebhookEndpoints(stripe)({}, { limit: 100 }))).value;
  return data.map(({ url, status, api_version: apiVersion, enabled_events: types }) => ({
    url,
    enabled: status === 'enabled',
    apiVersion,
    types,
  }));
}
