import type Stripe from 'stripe';
import type { Client } from 'pg';
import { check, CheckFailed, waitUntil } from '../pass/check';
import type { Platform } from '../platform/platform';
import { deliver } from '../stripe/delivery';
import type { StripeState } from '../stripe/state';

const ACCEPTED = 200;
/** Requests at a time: more than the functions that answer them. */
const AT_ONCE = 8;
/** Generous for a busy machine: a scenario that gives up says what is missing. */
export const SETTLED_WITHIN_MS = 120_000;

/** New subscriptions at Stripe; each event is about a user of its own. */
export function newSubscriptions(stripe: StripeState, count: number, label: string): Stripe.Event[] {
  return Array.from({ length: count }, (_, index) => {
    const metadata = { app_id: 'academy', project_id: 'project-1', user_id: `${label}-${index}` };
    return stripe.createSubscription({ metadata }).event;
  });
}

/**
 * Sends events to the endpoint, several at a time.
 *
 * @returns how many were sent in a second
 * @throws CheckFailed when one was not answered 200
 */
export async function sendAll(
  events: readonly Stripe.Event[],
  { endpoint, signingSecret }: Pick<Platform, 'endpoint' | 'signingSecret'>,
): Promise<number> {
  const waiting = events.values();
  const started = performance.now();
  const send = async (): Promise<void> => {
    for (const event of waiting) {
      const { status, body } = await deliver(event, { url: endpoint, secret: signingSecret });
      if (status !== ACCEPTED) throw new CheckFailed(`${event.id} was answered ${status} ${body}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  return events.length / ((performance.now() - started) / 1000);
}

/** What the ledger has of events. */
export interface LedgerCounts {
  readonly processed: number;
  /** Attempts of all of them; one each when none failed. */
  readonly attempts: number;
  readonly subscriptions: number;
}

/** Counts what became of the events of {@link newSubscriptions}. */
export async function countSettled(client: Client, events: readonly Stripe.Event[]): Promise<LedgerCounts> {
  const { rows } = await client.query<LedgerCounts>(
    `SELECT count(*) FILTER (WHERE status = 'processed')::int AS processed, coalesce(sum(attempts), 0)::int AS attempts,
       (SELECT count(*)::int FROM billing.subscriptions WHERE id = ANY ($2)) AS subscriptions
     FROM billing.webhook_events WHERE id = ANY ($1)`,
    [events.map(({ id }) => id), events.map(({ data }) => (data.object as Stripe.Subscription).id)],
  );
  return rows[0] ?? { processed: 0, attempts: 0, subscriptions: 0 };
}

/**
 * Waits until every event is processed, and checks that each took effect once, in one attempt.
 *
 * @throws CheckFailed with what is missing
 */
export async function untilSettled(
  { databases }: Pick<Platform, 'databases'>,
  events: readonly Stripe.Event[],
): Promise<void> {
  const client = await databases.billing.connect();
  try {
    await waitUntil(async () => {
      const { processed } = await countSettled(client, events);
      return processed === events.length ? undefined : `${processed} of ${events.length} events are processed`;
    }, SETTLED_WITHIN_MS);
    const { attempts, subscriptions } = await countSettled(client, events);
    check(attempts === events.length, `${events.length} events took ${attempts} attempts`);
    check(subscriptions === events.length, `${events.length} events left ${subscriptions} subscriptions`);
  } finally {
    await client.end();
  }
}
