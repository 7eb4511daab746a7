import type Stripe from 'stripe';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { pagesOf, type Lane, type LanePage, type ListPage } from '../../core/providers/stripe/pages';
import * as requests from '../../core/providers/stripe/requests';
import { isMissingAtStripe, wholeSubscription } from '../../core/providers/stripe/snapshots';
import type { ListedTilledEvent } from '../../core/providers/tilled/client';
import { tilledEventLanes, tilledEventPages } from '../../core/providers/tilled/event-pages';
import { compareWithDatabase } from './compare-page';
import { compareEntitlements, entitlementLanes, sourcesOf } from './entitlements';
import { recoverMissedEvents } from './missed-events';
import { tableOf, type ComparedKind } from './kinds';
import { testClocksOf, unlistedIds } from './listed';
import { compareSingles, readSingles, reportUnlisted, singleLanes } from './one-by-one';
import type { PageOutcome } from './page-outcome';
import { subscriptionLanes } from './records';
import type { PhaseName, Run } from './run';

/** One list of a provider's, and what a run does with it. */
export interface Phase<Listed = unknown> {
  readonly name: PhaseName;
  /** The parts in which the list is read. */
  lanes(run: Run): Promise<readonly Lane[]>;
  /** The pages of the lanes, from where each of them stands. Ends early when the time of the run is up. */
  pages(run: Run, lanes: readonly Lane[]): AsyncIterable<LanePage<Listed>>;
  /** Compares a page with the database. */
  examine(run: Run, page: LanePage<Listed>): Promise<PageOutcome>;
  /** What only the whole list shows. @default nothing */
  conclude?(run: Run): Promise<PageOutcome>;
}

/** In the order in which a run reads them. */
export const PHASES: readonly Phase[] = [
  phase<Stripe.Event>({
    name: 'events',
    lanes: async (run) => requests.eventLanes(ENDPOINT_EVENT_TYPES, windowOf(run)),
    pages: listed(requests.listEvents),
    examine: (run, { objects }) => recoverMissedEvents(run, 'stripe', objects),
  }),
  phase<Stripe.Subscription>({
    name: 'subscriptions',
    // Of any age: the window would leave out a subscription that was created last year and canceled yesterday.
    lanes: ({ client, window }) => subscriptionLanes(client, window.endAtSeconds),
    pages: listed(requests.listSubscriptions),
    examine: compareSubscriptions,
  }),
  phase<Stripe.Subscription>({
    name: 'test_clocks',
    lanes: testClockLanes,
    pages: listed((stripe) => emptyWhereMissing(requests.listSubscriptions(stripe))),
    examine: compareSubscriptions,
  }),
  ofKind('customers', 'customer', requests.listCustomers),
  ofKind('invoices', 'invoice', requests.listInvoices),
  ofKind('invoice_payments', 'invoice_payment', requests.listInvoicePayments),
  // An open session has not bought anything yet, and an expired one never will.
  ofKind('checkout_sessions', 'purchase', requests.listCheckoutSessions, ({ status }) => status === 'complete'),
  ofKind('payment_intents', 'payment_intent', requests.listPaymentIntents),
  ofKind('charges', 'charge', requests.listCharges),
  phase<Stripe.Refund>({
    name: 'refunds',
    lanes: windowLanes,
    pages: listed(requests.listRefunds),
    examine: async (run, { objects, requestedAtSeconds }) => ({
      ...(await compareWithDatabase(run, { charge: olderCharges(run, objects), refund: objects }, requestedAtSeconds)),
      listed: [{ kind: 'refund', ids: idsOf(objects) }],
    }),
  }),
  ofKind('disputes', 'dispute', requests.listDisputes),
  ofKind('early_fraud_warnings', 'early_fraud_warning', requests.listEarlyFraudWarnings),
  phase<Stripe.Account>({
    name: 'accounts',
    lanes: accountLanes,
    pages: listed(requests.listAccounts),
    examine: (run, page) => compareListed(run, 'account', page, page.objects),
  }),
  phase({
    name: 'single_objects',
    lanes: singleLanes,
    pages: readSingles,
    examine: compareSingles,
    conclude: reportUnlisted,
  }),
  phase({ name: 'entitlements', lanes: entitlementLanes, pages: sourcesOf, examine: compareEntitlements }),
  // Last, so that neither Tilled's outage nor a wrong key of it delays what is Stripe's.
  phase<ListedTilledEvent>({
    name: 'tilled_events',
    lanes: (run) => tilledEventLanes(run.tilled, windowOf(run)),
    pages: (run, lanes) => tilledEventPages(run.tilled, lanes, run.stop),
    examine: (run, { objects }) => recoverMissedEvents(run, 'tilled', objects),
  }),
];

/** Checks that what is listed is what is examined. */
function phase<Listed>(definition: Phase<Listed>): Phase {
  return definition;
}

/** @param isCompared objects for which it is false may be missing in the database. @default all are compared */
function ofKind<T extends { readonly id: string }>(
  name: PhaseName,
  kind: ComparedKind,
  list: (stripe: Stripe) => ListPage<T>,
  isCompared: (object: T) => boolean = () => true,
): Phase {
  return phase<T>({
    name,
    lanes: windowLanes,
    pages: listed(list),
    examine: (run, page) => compareListed(run, kind, page, page.objects.filter(isCompared)),
  });
}

function listed<T extends { id: string }>(list: (stripe: Stripe) => ListPage<T>): Phase<T>['pages'] {
  return (run, lanes) => pagesOf(run.call, list(run.stripe), lanes, run.stop);
}

const windowOf = ({ window }: Run) => ({ gte: window.startAtSeconds, lt: window.endAtSeconds });
const idsOf = (objects: readonly { readonly id: string }[]) => objects.map(({ id }) => id);

/** What was created in the window, and in the older slice whose turn it is. */
async function windowLanes(run: Run): Promise<Lane[]> {
  const { slice } = run.window;
  return [windowOf(run), ...(slice === undefined ? [] : [slice])].map((created) => ({ created }));
}

/** The clocks of the subscriptions that the plain list left out. Only test keys have any. */
async function testClockLanes(run: Run): Promise<Lane[]> {
  const clocks = await testClocksOf(run.client, 'subscription', await unlistedIds(run, 'subscription'));
  return [...new Set(clocks.values())].toSorted().map((testClock) => ({ testClock }));
}

/** All of them, when any is known: a key needs no access to accounts where none are connected. */
async function accountLanes({ client }: Run): Promise<Lane[]> {
  const { rowCount } = await client.query(`SELECT FROM ${tableOf('account')} LIMIT 1`);
  return rowCount === 0 ? [] : [{}];
}

async function compareListed(
  run: Run,
  kind: ComparedKind,
  page: LanePage<{ readonly id: string }>,
  compared: readonly { readonly id: string }[],
): Promise<PageOutcome> {
  const outcome = await compareWithDatabase(run, { [kind]: compared }, page.requestedAtSeconds);
  return { ...outcome, listed: [{ kind, ids: idsOf(page.objects) }] };
}

async function compareSubscriptions(run: Run, page: LanePage<Stripe.Subscription>): Promise<PageOutcome> {
  const whole = await Promise.all(page.objects.map((subscription) => wholeSubscription(run, subscription)));
  return compareListed(run, 'subscription', page, whole);
}

/** A test clock that was deleted has no objects any more. */
function emptyWhereMissing<T extends { id: string }>(list: ListPage<T>): ListPage<T> {
  return async (lane, page) => {
    try {
      return await list(lane, page);
    } catch (error) {
      if (!isMissingAtStripe(error)) throw error;
      const lastResponse = { headers: {}, requestId: '', statusCode: 404 };
      return { object: 'list', data: [], has_more: false, url: '', lastResponse };
    }
  };
}

/** Charges of the refunds that were created before the window; the newer ones are in the list of charges. */
function olderCharges({ window }: Run, refunds: readonly Stripe.Refund[]): Stripe.Charge[] {
  const older = refunds.flatMap(({ charge }) =>
    charge !== null && typeof charge === 'object' && charge.created < window.startAtSeconds ? [charge] : [],
  );
  return [...new Map(older.map((charge) => [charge.id, charge])).values()];
}
