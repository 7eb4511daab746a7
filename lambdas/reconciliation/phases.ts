import type Stripe from 'stripe';
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
import { compareSnapshots } from './compare';
import type { Finding } from './differences';
import { recoverEvents } from './missed-events';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import { subscriptionLanes, unlistedSubscriptions } from './records';
import type { PhaseName, Run } from './run';

/** A page that was looked at. */
interface ExaminedPage {
  readonly outcome: PageOutcome;
  /** Position of its lane among those that were given. */
  readonly index: number;
  /** The lane once this page is committed. */
  readonly next: Lane;
}

/** One of Stripe's lists, which a run reads to its end. */
export interface Phase {
  /** The parts in which the list is read. */
  readonly plan: (run: Run) => Promise<Lane[]>;
  /** Looks at the pages of the given lanes, one after the other; ends early when the time is up. Writes nothing. */
  readonly examine: (run: Run, lanes: readonly Lane[]) => AsyncGenerator<ExaminedPage>;
  /** What only the whole list shows. @default nothing */
  readonly conclude?: (run: Run) => Promise<PageOutcome>;
}

interface PhaseDefinition<T> extends Pick<Phase, 'plan' | 'conclude'> {
  readonly list: (stripe: Stripe) => ListPage<T>;
  readonly examinePage: (run: Run, page: Page<T>) => Promise<PageOutcome>;
}

function phase<T extends { id: string }>({ list, examinePage, ...definition }: PhaseDefinition<T>): Phase {
  return {
    ...definition,
    async *examine(run, lanes) {
      for await (const page of pagesOf(run.call, list(run.stripe), lanes, run.stop)) {
        yield { outcome: await examinePage(run, page), index: page.index, next: page.next };
      }
    },
  };
}

export const PHASE_DEFINITIONS: Readonly<Record<PhaseName, Phase>> = {
  events: phase({
    plan: async ({ since, until }) => eventLanes(ENDPOINT_EVENT_TYPES, { gte: since, lt: until }),
    list: listEvents,
    examinePage: (run, { objects }) => recoverEvents(run, objects),
  }),

  subscriptions: phase({
    // Whatever their age: a window would leave out one that was made last year and canceled yesterday.
    plan: ({ client, until }) => subscriptionLanes(client, until),
    list: listSubscriptions,
    examinePage: examineSubscriptions,
    conclude: reportUnlisted,
  }),

  checkout_sessions: phase({
    plan: createdInWindow,
    list: listCheckoutSessions,
    examinePage: examineSessions,
  }),

  charges: phase({
    plan: createdInWindow,
    list: listCharges,
    async examinePage(run, { objects, requestedAt }) {
      const outcome = await compareSnapshots(run, [{ kind: 'charge', objects, requestedAt }]);
      return counting(outcome, { charges_checked: objects.length });
    },
  }),

  refunds: phase({
    plan: createdInWindow,
    list: listRefunds,
    examinePage: examineRefunds,
  }),
};

/** Everything that was made in the window. */
async function createdInWindow({ since, until }: Run): Promise<Lane[]> {
  return [{ created: { gte: since, lt: until } }];
}

async function examineSubscriptions(
  run: Run,
  { objects, requestedAt }: Page<Stripe.Subscription>,
): Promise<PageOutcome> {
  const whole = await Promise.all(objects.map((subscription) => withAllItems(run, subscription)));
  const outcome = await compareSnapshots(run, [{ kind: 'subscription', objects: whole, requestedAt }]);
  return {
    ...counting(outcome, { subscriptions_checked: objects.length }),
    listedSubscriptions: objects.map(({ id }) => id),
  };
}

async function examineSessions(
  run: Run,
  { objects, requestedAt }: Page<Stripe.Checkout.Session>,
): Promise<PageOutcome> {
  // A session that is still open has bought nothing yet, and one that expired never will.
  const completed = objects.filter((session) => session.status === 'complete');
  const outcome = await compareSnapshots(run, [{ kind: 'purchase', objects: completed, requestedAt }]);
  return counting(outcome, { purchases_checked: completed.length });
}

async function examineRefunds(run: Run, { objects, requestedAt }: Page<Stripe.Refund>): Promise<PageOutcome> {
  // Charges of the window were compared in their own phase.
  const older = objects.flatMap(({ charge }) =>
    charge !== null && typeof charge === 'object' && charge.created < run.since ? [charge] : [],
  );
  const charges = [...new Map(older.map((charge) => [charge.id, charge])).values()];
  const outcome = await compareSnapshots(run, [
    { kind: 'charge', objects: charges, requestedAt },
    { kind: 'refund', objects, requestedAt },
  ]);
  return counting(outcome, { charges_checked: charges.length });
}

/** A list carries the first items of a subscription only; the others would seem to have been removed. */
async function withAllItems(run: Run, subscription: Stripe.Subscription): Promise<Stripe.Subscription> {
  if (!subscription.items.has_more) return subscription;
  const items: Stripe.SubscriptionItem[] = [];
  const never = new AbortController().signal;
  for await (const { objects } of pagesOf(run.call, listSubscriptionItems(run.stripe, subscription.id), [{}], never)) {
    items.push(...objects);
  }
  return { ...subscription, items: { ...subscription.items, data: items, has_more: false } };
}

/** Nothing is deleted on the strength of an absence: an operator has to decide. */
async function reportUnlisted({ client, id, until }: Run): Promise<PageOutcome> {
  const unlisted = await unlistedSubscriptions(client, id, until);
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

function counting(outcome: PageOutcome, counts: PageOutcome['counts']): PageOutcome {
  return { ...outcome, counts: { ...outcome.counts, ...counts } };
}
