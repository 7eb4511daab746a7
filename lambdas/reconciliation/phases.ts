import type Stripe from 'stripe';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { inTransaction } from '../../core/database/transaction';
import { pagesOf, type Lane, type LanePage, type ListPage } from '../../core/providers/stripe/pages';
import {
  eventLanes,
  listCharges,
  listCheckoutSessions,
  listEvents,
  listRefunds,
  listSubscriptionItems,
  listSubscriptions,
} from '../../core/providers/stripe/requests';
import { compare } from './compare-page';
import type { Finding } from './differences';
import { recoverEvents } from './missed-events';
import { recordFindings, rememberListed, subscriptionLanes, unlistedSubscriptions } from './records';
import type { PhaseName, Run } from './run';
import { saveProgress } from './run-records';

/** One list of Stripe's that a run reads to the end. */
interface Phase {
  /** The parts in which the list is read. */
  readonly plan: (run: Run) => Promise<Lane[]>;
  /**
   * Reads on from the given lanes, a page a transaction: what a page corrected, what it counted and where to go on commit
   * together.
   *
   * @returns whether the end was reached; if not, the time was up
   */
  readonly read: (run: Run, lanes: readonly Lane[]) => Promise<boolean>;
  /** What only the whole list shows; in the transaction that ends the phase. */
  readonly conclude?: (run: Run) => Promise<void>;
}

/** @param take looks at a page, and returns what is to be done in the transaction that ends it */
function phase<T extends { id: string }>(
  name: PhaseName,
  list: (stripe: Stripe) => ListPage<T>,
  take: (run: Run, page: LanePage<T>) => Promise<() => Promise<void>>,
): Pick<Phase, 'read'> {
  return {
    async read(run, planned) {
      const lanes = [...planned];
      for await (const page of pagesOf(run.call, list(run.stripe), planned, run.stop)) {
        const store = await take(run, page);
        lanes[page.index] = page.next;
        await inTransaction(run.client, async () => {
          await store();
          await saveProgress(run, { phase: name, lanes });
        });
      }
      return lanes.every(({ done }) => done === true);
    },
  };
}

/** Everything that was made in the window. */
const createdInWindow = async ({ since, until }: Run): Promise<Lane[]> => [{ created: { gte: since, lt: until } }];

export const PHASE_DEFINITIONS: Readonly<Record<PhaseName, Phase>> = {
  events: {
    plan: async ({ since, until }) => eventLanes(ENDPOINT_EVENT_TYPES, { gte: since, lt: until }),
    ...phase('events', listEvents, async (run, { objects }) => {
      run.counters.events_checked += objects.length;
      return recoverEvents(run, objects);
    }),
  },

  // Whatever their age: the window would leave out the one that was made last year and canceled yesterday.
  subscriptions: {
    plan: ({ client, until }) => subscriptionLanes(client, until),
    ...phase('subscriptions', listSubscriptions, async (run, { objects, requestedAt }) => {
      const whole = await Promise.all(objects.map((subscription) => withAllItems(run, subscription)));
      const store = await compare(run, [{ kind: 'subscription', objects: whole, requestedAt }]);
      run.counters.subscriptions_checked += objects.length;
      return async () => {
        await rememberListed(
          run.client,
          run.id,
          objects.map(({ id }) => id),
        );
        await store();
      };
    }),
    conclude: reportUnlisted,
  },

  checkout_sessions: {
    plan: createdInWindow,
    ...phase('checkout_sessions', listCheckoutSessions, async (run, { objects, requestedAt }) => {
      // A session that is still open has bought nothing yet, and one that expired never will.
      const completed = objects.filter((session) => session.status === 'complete');
      run.counters.purchases_checked += completed.length;
      return compare(run, [{ kind: 'purchase', objects: completed, requestedAt }]);
    }),
  },

  charges: {
    plan: createdInWindow,
    ...phase('charges', listCharges, async (run, { objects, requestedAt }) => {
      run.counters.charges_checked += objects.length;
      return compare(run, [{ kind: 'charge', objects, requestedAt }]);
    }),
  },

  refunds: {
    plan: createdInWindow,
    ...phase('refunds', listRefunds, async (run, { objects, requestedAt }) => {
      // Those of the window were compared before.
      const older = objects.flatMap(({ charge }) =>
        charge !== null && typeof charge === 'object' && charge.created < run.since ? [charge] : [],
      );
      const charges = [...new Map(older.map((charge) => [charge.id, charge])).values()];
      run.counters.charges_checked += charges.length;
      return compare(run, [
        { kind: 'charge', objects: charges, requestedAt },
        { kind: 'refund', objects, requestedAt },
      ]);
    }),
  },
};

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

/** Nothing is deleted on the strength of an absence: somebody has to look. */
async function reportUnlisted({ client, id, until, counters }: Run): Promise<void> {
  const unlisted = await unlistedSubscriptions(client, id, until);
  const findings = unlisted.map((objectId): Finding => ({
    kind: 'missing_at_stripe',
    objectType: 'subscription',
    objectId,
  }));
  await recordFindings(client, id, findings, new Set());
  counters.drift_detected += unlisted.length;
}
