import type { EventOutcome } from '../../core/billing/apply-events';
import { applyFoundEvents } from '../../core/providers/stripe/found-events';
import type { StripeEvent } from '../../core/providers/stripe/shapes';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { CheckedReplayRequest, EventOutcomeName, EventsReport, ReportedEvent } from './contract';

/** Events that a report names at most; all of them are counted. */
const MAX_NAMED_EVENTS = 200;

type EventHead = Pick<StripeEvent, 'id' | 'type' | 'created'>;

/** Gathers what happened to each event. */
export class ReportBuilder {
  private readonly outcomes: Partial<Record<EventOutcomeName, number>> = {};
  private readonly events: ReportedEvent[] = [];
  private checked = 0;

  add(...events: readonly ReportedEvent[]): void {
    for (const event of events) {
      this.checked += 1;
      this.outcomes[event.outcome] = (this.outcomes[event.outcome] ?? 0) + 1;
      if (event.outcome !== 'alreadyProcessed' && this.events.length < MAX_NAMED_EVENTS) this.events.push(event);
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

/** What a report says about an event. */
export function reported(event: EventHead, outcome: Pick<ReportedEvent, 'outcome' | 'error'>): ReportedEvent {
  return { id: event.id, type: event.type, created: new Date(event.created * 1000).toISOString(), ...outcome };
}

/** Applies events and reports each; in a dry run, reports that each would be applied. */
export async function applyAndReport(
  work: StripeWork,
  events: readonly EventHead[],
  dryRun: boolean,
): Promise<ReportedEvent[]> {
  if (dryRun) return events.map((event) => reported(event, { outcome: 'wouldApply' }));
  const outcomes = await applyFoundEvents(work, events);
  return events.map((event) => reported(event, outcomeOf(outcomes.get(event.id))));
}

function outcomeOf(outcome: EventOutcome | undefined): Pick<ReportedEvent, 'outcome' | 'error'> {
  if (outcome?.status === 'failed') return { outcome: 'failed', error: outcome.error };
  return { outcome: outcome?.status === 'processed' ? 'processed' : 'alreadyProcessed' };
}
