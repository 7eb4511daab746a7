import type { EventOutcomeName, EventsReport, CheckedReplayRequest, ReportedEvent } from './contract';

/** An answer holds so many events by name; all of them are counted. */
const NAMED_EVENTS = 200;

/** Gathers what happened to each event. */
export class ReportBuilder {
  private readonly outcomes: Partial<Record<EventOutcomeName, number>> = {};
  private readonly events: ReportedEvent[] = [];
  private checked = 0;

  add(event: ReportedEvent): void {
    this.checked += 1;
    this.outcomes[event.outcome] = (this.outcomes[event.outcome] ?? 0) + 1;
    if (event.outcome !== 'already_processed' && this.events.length < NAMED_EVENTS) this.events.push(event);
  }

  report(action: EventsReport['action'], dryRun: boolean, next: CheckedReplayRequest | undefined): EventsReport {
    return {
      action,
      dry_run: dryRun,
      checked: this.checked,
      outcomes: this.outcomes,
      events: this.events,
      ...(next === undefined ? {} : { next }),
    };
  }
}
