import { EVENT_RETENTION_DAYS } from '../../core/providers/stripe/requests';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { InvalidRequestError } from '../../core/runtime/errors';
import type { EventOutcomeName, EventsReport } from './contract';
import { isOpen, ledgerEvents, type LedgerEvent } from './ledger';
import { applyAndReport, outcomeOfSettled, ReportBuilder } from './report';
import { SOURCES, type EventSource, type LaneProgress, type Range, type RangeRequest } from './sources';

const DAY_MS = 86_400_000;

/**
 * Compares the events that the provider lists in a range with the ledger, page by page. `replay` applies those that the ledger
 * lacks or has as failed.
 *
 * @throws InvalidRequestError when the range is empty, or begins before the events that the provider still lists
 */
export async function walkRange(work: StripeWork, request: RangeRequest): Promise<EventsReport> {
  const { action, provider } = request;
  const source = SOURCES[provider];
  const range = rangeOf(request, source, work.clock());
  const dryRun = action === 'gaps' || request.dryRun;
  const lanes = await source.lanes(work, range, request.position);
  const progress = lanes.map((lane): LaneProgress => ({ lane, unreadBefore: range.lt }));
  const report = new ReportBuilder();
  for await (const { objects, index, next } of source.pages(work, lanes)) {
    const ids = objects.map(({ id }) => id);
    const { settled, open } = split(objects, await ledgerEvents(work.client, provider, ids));
    report.add(...settled.map(({ event, outcome }) => ({ ...source.headOf(event), outcome })));
    if (action === 'gaps') report.add(...open.map((event) => gap(source, event)));
    else {
      const events = open.map(({ event }) => event);
      report.add(...(await applyAndReport(work, provider, events, dryRun)));
    }
    progress[index] = {
      lane: next,
      unreadBefore: next.done === true ? range.gte : secondsOf(source, objects, range) + 1,
    };
  }
  return report.build(action, dryRun, source.continuation(request, range, progress));
}

/** When the last event of a page was made, in seconds since 1970. */
function secondsOf(source: EventSource, objects: readonly { readonly id: string }[], { gte }: Range): number {
  const last = objects.at(-1);
  const created = last === undefined ? undefined : source.headOf(last).created;
  return created === undefined ? gte : Math.floor(Date.parse(created) / 1000);
}

interface SettledEvent {
  readonly event: { readonly id: string };
  readonly outcome: EventOutcomeName;
}

interface OpenEvent {
  readonly event: { readonly id: string };
  /** `undefined` when the ledger lacks the event. */
  readonly known: LedgerEvent | undefined;
}

function split(
  events: readonly { readonly id: string }[],
  ledger: ReadonlyMap<string, LedgerEvent>,
): { settled: SettledEvent[]; open: OpenEvent[] } {
  const settled: SettledEvent[] = [];
  const open: OpenEvent[] = [];
  for (const event of events) {
    const known = ledger.get(event.id);
    if (known === undefined || isOpen(known)) open.push({ event, known });
    else settled.push({ event, outcome: outcomeOfSettled(known) });
  }
  return { settled, open };
}

function gap(source: EventSource, { event, known }: OpenEvent) {
  const head = source.headOf(event);
  if (known === undefined) return { ...head, outcome: 'missing' as const };
  return { ...head, outcome: 'failed' as const, error: known.error ?? `Its status is ${known.status}` };
}

function rangeOf({ from, to }: RangeRequest, { title }: EventSource, now: Date): Range {
  const startAt = new Date(from);
  const endAt = to === undefined ? now : new Date(to);
  if (startAt >= endAt) throw new InvalidRequestError('to: expected a time after `from`');
  const earliestAt = new Date(now.getTime() - EVENT_RETENTION_DAYS * DAY_MS);
  if (startAt < earliestAt) {
    throw new InvalidRequestError(
      `from: ${title} lists only the events of the last ${EVENT_RETENTION_DAYS} days, from ${earliestAt.toISOString()} on; ` +
        'run a reconciliation instead, which compares the objects themselves',
    );
  }
  return { gte: Math.floor(startAt.getTime() / 1000), lt: Math.ceil(endAt.getTime() / 1000) };
}
