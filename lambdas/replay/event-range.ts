import type Stripe from 'stripe';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { pagesOf } from '../../core/providers/stripe/pages';
import { EVENT_RETENTION_DAYS, eventLanes, listEvents } from '../../core/providers/stripe/requests';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import { InvalidRequestError } from '../../core/runtime/errors';
import type { CheckedReplayRequest, EventOutcomeName, EventsReport } from './contract';
import { isOpen, ledgerEvents, type LedgerEvent } from './ledger';
import { applyAndReport, outcomeOfSettled, reported, ReportBuilder } from './report';

const DAY_MS = 86_400_000;

/** `gaps` reports what the ledger lacks or has as failed, and `replay` applies it. */
type RangeRequest = Extract<CheckedReplayRequest, { action: 'gaps' | 'replay' }>;

/** In seconds since 1970, as Stripe filters by. */
interface Range {
  readonly gte: number;
  readonly lt: number;
}

/**
 * Compares the events that Stripe lists in a range with the ledger, page by page and newest first. `replay` applies those
 * that the ledger lacks or has as failed.
 *
 * @throws InvalidRequestError when the range is empty, or begins before the events that Stripe still lists
 */
export async function walkRange(work: StripeWork, request: RangeRequest): Promise<EventsReport> {
  const range = rangeOf(request, work.clock());
  const dryRun = request.action === 'gaps' || request.dryRun;
  const lanes = eventLanes(ENDPOINT_EVENT_TYPES, range);
  /** Up to where each lane still has to be read, in seconds since 1970; a lane is read backwards. */
  const unreadBefore = lanes.map(() => range.lt);
  const report = new ReportBuilder();
  for await (const { objects, index, next } of pagesOf(work.call, listEvents(work.stripe), lanes, work.stop)) {
    const ids = objects.map(({ id }) => id);
    const { settled, open } = split(objects, await ledgerEvents(work.client, ids));
    report.add(...settled.map(({ event, outcome }) => reported(event, { outcome })));
    if (request.action === 'gaps') report.add(...open.map(gap));
    else
      report.add(
        ...(await applyAndReport(
          work,
          open.map(({ event }) => event),
          dryRun,
        )),
      );
    unreadBefore[index] = next.done === true ? range.gte : (objects.at(-1)?.created ?? range.gte) + 1;
  }
  const restBefore = Math.max(range.gte, ...unreadBefore);
  const next = restBefore > range.gte ? continuation(request, { gte: range.gte, lt: restBefore }) : undefined;
  return report.build(request.action, dryRun, next);
}

interface SettledEvent {
  readonly event: Stripe.Event;
  readonly outcome: EventOutcomeName;
}

interface OpenEvent {
  readonly event: Stripe.Event;
  /** `undefined` when the ledger lacks the event. */
  readonly known: LedgerEvent | undefined;
}

function split(
  events: readonly Stripe.Event[],
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

function gap({ event, known }: OpenEvent) {
  if (known === undefined) return reported(event, { outcome: 'missing' });
  return reported(event, { outcome: 'failed', error: known.error ?? `Its status is ${known.status}` });
}

/** The request for the part of the range that was not read. */
function continuation(request: RangeRequest, { gte, lt }: Range): CheckedReplayRequest {
  return { ...request, from: new Date(gte * 1000).toISOString(), to: new Date(lt * 1000).toISOString() };
}

function rangeOf({ from, to }: RangeRequest, now: Date): Range {
  const startAt = new Date(from);
  const endAt = to === undefined ? now : new Date(to);
  if (startAt >= endAt) throw new InvalidRequestError('to: expected a time after `from`');
  const earliestAt = new Date(now.getTime() - EVENT_RETENTION_DAYS * DAY_MS);
  if (startAt < earliestAt) {
    throw new InvalidRequestError(
      `from: Stripe lists only the events of the last ${EVENT_RETENTION_DAYS} days, from ${earliestAt.toISOString()} on; ` +
        'run a reconciliation instead, which compares the objects themselves',
    );
  }
  return { gte: Math.floor(startAt.getTime() / 1000), lt: Math.ceil(endAt.getTime() / 1000) };
}
