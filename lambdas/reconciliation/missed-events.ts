import type Stripe from 'stripe';
import type { EventOutcome } from '../../core/billing/apply-events';
import { applyFoundEvents } from '../../core/providers/stripe/found-events';
import type { Finding } from './differences';
import { NOTHING_FOUND, type PageOutcome } from './page-outcome';
import { unknownEvents } from './records';
import type { Run } from './run';

const NOT_APPLIED: ReadonlyMap<string, EventOutcome> = new Map();

/**
 * Applies the events of a page that the ledger lacks, as if they had been delivered. They commit with their ledger rows,
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
  return missedEvents(listed.length, missed, run.dryRun ? NOT_APPLIED : await applyFoundEvents(run, missed));
}

function missedEvents(
  checked: number,
  missed: readonly { readonly id: string }[],
  outcomes: ReadonlyMap<string, EventOutcome>,
): PageOutcome {
  return {
    ...NOTHING_FOUND,
    counts: { eventsChecked: checked, eventsMissed: missed.length },
    kinds: { event: { checked, drift: missed.length } },
    findings: missed.map(({ id }): Finding => ({ kind: 'missed_event', objectType: 'event', objectId: id })),
    recoveredEvents: [...outcomes].filter(([, { status }]) => status === 'processed').map(([id]) => id),
    problems: [...outcomes].flatMap(([id, outcome]) =>
      outcome.status === 'failed' || outcome.status === 'deferred' ? [`${id}: ${outcome.error}`] : [],
    ),
  };
}
