import type Stripe from 'stripe';
import { applyEvents, type EventOutcome, type ReceivedEvent } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { messageOf } from '../../core/runtime/errors';
import type { Finding } from './differences';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import { unknownEvents } from './records';
import type { Run } from './run';

/**
 * Applies the listed events that the ledger lacks, as if they had been delivered; a dry run only reports them.
 *
 * They commit before the page does. When the run is killed in between, none is applied twice, but its findings lack them:
 * the ledger's `source` tells where each came from.
 */
export async function recoverEvents(run: Run, listed: readonly Stripe.Event[]): Promise<PageOutcome> {
  const unknown = await unknownEvents(
    run.client,
    listed.map(({ id }) => id),
  );
  const missed = listed.filter(({ id }) => unknown.has(id));
  if (missed.length > 0) {
    run.log.warn('Stripe has events that were never received', { eventIds: missed.map(({ id }) => id) });
  }
  const { outcomes, problems } = run.dryRun ? NOT_APPLIED : await applyMissed(run, missed);
  return {
    ...NOTHING_FOUND,
    counts: { events_checked: listed.length, events_missed: missed.length, drift_detected: missed.length },
    findings: missed.map(({ id }): Finding => ({ kind: 'missed_event', objectType: 'event', objectId: id })),
    recoveredEvents: new Set([...outcomes].filter(([, { status }]) => status === 'processed').map(([id]) => id)),
    problems,
  };
}

interface Applied {
  readonly outcomes: ReadonlyMap<string, EventOutcome>;
  readonly problems: readonly string[];
}

const NOT_APPLIED: Applied = { outcomes: new Map(), problems: [] };

async function applyMissed(run: Run, missed: readonly Stripe.Event[]): Promise<Applied> {
  const receivedAt = run.clock();
  const problems: string[] = [];
  const events: ReceivedEvent<StripeEvent>[] = [];
  for (const event of missed) {
    try {
      events.push({ event: readEvent(event), source: 'reconciliation', receivedAt });
    } catch (error) {
      problems.push(`${event.id}: ${messageOf(error)}`);
    }
  }
  const outcomes = await applyEvents(run.client, stripeProvider, events, run.apply);
  for (const [id, outcome] of outcomes) {
    if (outcome.status === 'failed') problems.push(`${id}: ${outcome.error}`);
  }
  return { outcomes, problems };
}
