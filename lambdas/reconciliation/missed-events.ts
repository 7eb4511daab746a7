import type Stripe from 'stripe';
import { applyEvents, type EventOutcome, type ReceivedEvent } from '../../core/billing/apply-events';
import { stripeProvider } from '../../core/providers/stripe/provider';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { messageOf } from '../../core/runtime/errors';
import type { Finding } from './differences';
import { recordFindings, unknownEvents } from './records';
import { noteProblem, type Run } from './run';

/**
 * Applies those of the events that were never received, as if they had been delivered. They commit before what is
 * recorded of them here, so a run killed in between applies none twice, and its findings lack them: the ledger says where
 * each came from.
 *
 * @returns what records the findings, in a transaction of the caller's
 */
export async function recoverEvents(run: Run, listed: readonly Stripe.Event[]): Promise<() => Promise<void>> {
  const { client, log, dryRun, counters } = run;
  const ids = listed.map(({ id }) => id);
  const unknown = await unknownEvents(client, ids);
  const missed = listed.filter(({ id }) => unknown.has(id));
  if (missed.length > 0) {
    log.warn('Stripe has events that were never received', { eventIds: missed.map(({ id }) => id) });
  }
  const outcomes = dryRun ? new Map<string, EventOutcome>() : await apply(run, missed);
  const recovered = new Set([...outcomes].filter(([, { status }]) => status === 'processed').map(([id]) => id));
  return async () => {
    const findings = missed.map(({ id }): Finding => ({ kind: 'missed_event', objectType: 'event', objectId: id }));
    await recordFindings(client, run.id, findings, recovered);
    counters.events_missed += missed.length;
    counters.drift_detected += missed.length;
    counters.corrected += recovered.size;
  };
}

async function apply(run: Run, missed: readonly Stripe.Event[]): Promise<Map<string, EventOutcome>> {
  const receivedAt = run.clock();
  const events = missed.flatMap((event): ReceivedEvent<StripeEvent>[] => {
    try {
      return [{ event: readEvent(event), source: 'reconciliation', receivedAt }];
    } catch (error) {
      noteProblem(run, `${event.id}: ${messageOf(error)}`);
      return [];
    }
  });
  const outcomes = await applyEvents(run.client, stripeProvider, events, run.apply);
  for (const [id, outcome] of outcomes) {
    if (outcome.status === 'failed') noteProblem(run, `${id}: ${outcome.error}`);
  }
  return outcomes;
}
