import type Stripe from 'stripe';
import { applyEvents, type ReceivedEvent } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { messageOf } from '../../core/runtime/errors';
import type { Finding } from './differences';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import { unknownEvents } from './records';
import type { Run } from './run';

type Applied = Pick<PageOutcome, 'recoveredEvents' | 'problems'>;

/**
 * Applies the events of a page that the ledger lacks, as if they had been delivered. Each batch commits with its ledger rows,
 * before the page does. A run that is killed in between applies none twice, and its findings lack them; `source` in the
 * ledger still says that reconciliation found them.
 */
export async function recoverMissedEvents(run: Run, listed: readonly Stripe.Event[]): Promise<PageOutcome> {
  const ids = listed.map(({ id }) => id);
  const unknown = await unknownEvents(run.client, ids);
  const missed = listed.filter(({ id }) => unknown.has(id));
  if (missed.length > 0) {
    run.log.warn('Stripe has events that were never received', { eventIds: missed.map(({ id }) => id) });
  }
  const applied = run.dryRun ? {} : await applyMissed(run, missed);
  return {
    ...NOTHING_FOUND,
    counts: { events_checked: listed.length, events_missed: missed.length, drift_detected: missed.length },
    findings: missed.map(({ id }): Finding => ({ kind: 'missed_event', objectType: 'event', objectId: id })),
    ...applied,
  };
}

async function applyMissed({ client, clock, apply }: Run, missed: readonly Stripe.Event[]): Promise<Applied> {
  const problems: string[] = [];
  const receivedAt = clock();
  const events = missed.flatMap((event): ReceivedEvent<StripeEvent>[] => {
    try {
      return [{ event: readEvent(event), source: 'reconciliation', receivedAt }];
    } catch (error) {
      problems.push(`${event.id}: ${messageOf(error)}`);
      return [];
    }
  });
  const recoveredEvents: string[] = [];
  for (const [id, outcome] of await applyEvents(client, stripeProvider, events, apply)) {
    if (outcome.status === 'processed') recoveredEvents.push(id);
    if (outcome.status === 'failed') problems.push(`${id}: ${outcome.error}`);
  }
  return { recoveredEvents, problems };
}
