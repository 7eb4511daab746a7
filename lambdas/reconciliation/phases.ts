import type Stripe from 'stripe';
import { NO_DEFAULTS } from '../../core/billing/owner';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { pagesOf, type Lane, type ListPage, type Page } from '../../core/providers/stripe/pages';
import {
  eventLanes,
  listCharges,
  listCheckoutSessions,
  listEvents,
  listRefunds,
  listSubscriptionItems,
  listSubscriptions,
} from '../../core/providers/stripe/requests';
import { compare, readObjects, type ListedObjects } from './compare';
import type { Finding } from './differences';
import { recoverMissedEvents } from './missed-events';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import { storedRows, subscriptionLanes, unlistedSubscriptions } from './records';
import type { PhaseName, Run } from './run';

/** One list of Stripe's, and what a run does with it. */
export interface Phase<Listed extends { readonly id: string } = { readonly id: string }> {
  readonly name: PhaseName;
  list(stripe: Stripe): ListPage<Listed>;
  /** The parts in which the list is read. */
  lanes(run: Run): Promise<readonly Lane[]>;
  /** Compares a page with the database. */
  examine(run: Run, page: Page<Listed>): Promise<PageOutcome>;
  /** What only the whole list shows. @default nothing */
  conclude?(run: Run): Promise<PageOutcome>;
}

/** In the order in which a run reads them. */
export const PHASES: readonly Phase[] = [
  phase({
    name: 'events',
    list: listEvents,
    lanes: async (run) => eventLanes(ENDPOINT_EVENT_TYPES, createdInWindow(run)),
    examine: (run, { objects }) => recoverMissedEvents(run, objects),
  }),
  phase({
    name: 'subscriptions',
    list: listSubscriptions,
    // Of any age: the window would leave out a subscription that was created last year and canceled yesterday.
    lanes: ({ client, window }) => subscriptionLanes(client, window.endAtSeconds),
    async examine(run, { objects, requestedAtSeconds }) {
      const whole = await Promise.all(objects.map((subscription) => withAllItems(run, subscription)));
      const result = await compareWithDatabase(run, { subscription: whole }, requestedAtSeconds);
      return { ...result, listedSubscriptions: objects.map(({ id }) => id) };
    },
    conclude: reportUnlisted,
  }),
  phase({
    name: 'checkout_sessions',
    list: listCheckoutSessions,
    lanes: allCreatedInWindow,
    examine: (run, { objects, requestedAtSeconds }) =>
      compareWithDatabase(run, { purchase: objects.filter(isCompleted) }, requestedAtSeconds),
  }),
  phase({
    name: 'charges',
    list: listCharges,
    lanes: allCreatedInWindow,
    examine: (run, { objects, requestedAtSeconds }) =>
      compareWithDatabase(run, { charge: objects }, requestedAtSeconds),
  }),
  phase({
    name: 'refunds',
    list: listRefunds,
    lanes: allCreatedInWindow,
    examine: (run, { objects, requestedAtSeconds }) =>
      compareWithDatabase(run, { charge: olderCharges(run, objects), refund: objects }, requestedAtSeconds),
  }),
];

/** Checks that what is listed is what is examined. */
function phase<Listed extends { readonly id: string }>(definition: Phase<Listed>): Phase {
  return definition;
}

const createdInWindow = ({ window }: Run) => ({ gte: window.startAtSeconds, lt: window.endAtSeconds });

async function allCreatedInWindow(run: Run): Promise<Lane[]> {
  return [{ created: createdInWindow(run) }];
}

async function compareWithDatabase(run: Run, listed: ListedObjects, requestedAtSeconds: number): Promise<PageOutcome> {
  const objects = readObjects(listed, requestedAtSeconds, run.apply.defaults ?? NO_DEFAULTS);
  return compare(objects, await storedRows(run.client, objects.states));
}

/** An open session has not bought anything yet, and an expired one never will. */
function isCompleted({ status }: Stripe.Checkout.Session): boolean {
  return status === 'complete';
}

/** Charges of the refunds that were created before the window; the newer ones are in the list of charges. */
function olderCharges({ window }: Run, refunds: readonly Stripe.Refund[]): Stripe.Charge[] {
  const older = refunds.flatMap(({ charge }) =>
    charge !== null && typeof charge === 'object' && charge.created < window.startAtSeconds ? [charge] : [],
  );
  return [...new Map(older.map((charge) => [charge.id, charge])).values()];
}

/** A list carries only the first items of a subscription; the others would count as removed. */
async function withAllItems(run: Run, subscription: Stripe.Subscription): Promise<Stripe.Subscription> {
  if (!subscription.items.has_more) return subscription;
  const items: Stripe.SubscriptionItem[] = [];
  const never = new AbortController().signal;
  for await (const { objects } of pagesOf(run.call, listSubscriptionItems(run.stripe, subscription.id), [{}], never)) {
    items.push(...objects);
  }
  return { ...subscription, items: { ...subscription.items, data: items, has_more: false } };
}

/** Subscriptions that Stripe did not list are only reported: an operator has to decide what happens to them. */
async function reportUnlisted({ client, id, window }: Run): Promise<PageOutcome> {
  const unlisted = await unlistedSubscriptions(client, id, window.endAtSeconds);
  return {
    ...NOTHING_FOUND,
    counts: { drift_detected: unlisted.length },
    findings: unlisted.map((objectId): Finding => ({
      kind: 'missing_at_stripe',
      objectType: 'subscription',
      objectId,
    })),
  };
}
