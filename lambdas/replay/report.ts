import type { EventOutcome } from '../../core/billing/apply-events';
import { gatherEntitlementUpdates } from '../../core/entitlements/recompute';
import type { ProviderName } from '../../core/providers/contract';
import { applyFoundEvents } from '../../core/providers/found-events';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { CheckedReplayRequest, EventOutcomeName, EventsReport, ReportedEvent } from './contract';
import type { LedgerEvent } from './ledger';
import { SOURCES } from './sources';

/** Events that a report names at most; all of them are counted. */
const MAX_NAMED_EVENTS = 200;

/** Outcomes of events that were settled before. */
const SETTLED_BEFORE = new Set<EventOutcomeName>(['alreadyProcessed', 'ignored']);

/** Gathers what happened to each event. */
export class ReportBuilder {
  private readonly outcomes: Partial<Record<EventOutcomeName, number>> = {};
  private readonly events: ReportedEvent[] = [];
  private checked = 0;

  add(...events: readonly ReportedEvent[]): void {
    for (const event of events) {
      this.checked += 1;
      this.outcomes[event.outcome] = (this.outcomes[event.outcome] ?? 0) + 1;
      if (!SETTLED_BEFORE.has(event.outcome) && this.events.length < MAX_NAMED_EVENTS) this.events.push(event);
    }
  }

  /** @param next the request that continues. @default everything was done */
  build(action: EventsReport['action'], dryRun: boolean, next?: CheckedReplayRequest): EventsReport {
    return {
      action,
      dryRun,
      checked: this.checked,
      outcomes: this.outcomes,
      events: this.events,
      ...(next === undefined ? {} : { next }),
    };
  }
}

/** What a report says about an event that the ledger has as settled. */
export function outcomeOfSettled({ status }: Pick<LedgerEvent, 'status'>): EventOutcomeName {
  return status === 'ignored' || status === 'dismissed' ? status : 'alreadyProcessed';
}

/** Applies events and reports each. A dry run does the same in transactions that it rolls back. */
export async function applyAndReport(
  work: StripeWork,
  provider: ProviderName,
  events: readonly { readonly id: string }[],
  dryRun: boolean,
): Promise<ReportedEvent[]> {
  // What a dry run changed was taken back: no cache is to hear of it.
  const { afterStore } = gatherEntitlementUpdates();
  const apply = dryRun ? { ...work.apply, afterStore, dryRun } : work.apply;
  const outcomes = await applyFoundEvents({ ...work, apply }, provider, events);
  return events.map((event) => ({
    ...SOURCES[provider].headOf(event),
    ...outcomeOf(outcomes.get(event.id), dryRun),
  }));
}

function outcomeOf(outcome: EventOutcome | undefined, dryRun: boolean): Pick<ReportedEvent, 'outcome' | 'error'> {
  if (outcome?.status === 'failed' || outcome?.status === 'deferred') {
    return { outcome: outcome.status, error: outcome.error };
  }
  if (outcome?.status === 'ignored') return { outcome: 'ignored' };
  if (outcome?.status !== 'processed') return { outcome: 'alreadyProcessed' };
  return { outcome: dryRun ? 'wouldApply' : 'processed' };
}
