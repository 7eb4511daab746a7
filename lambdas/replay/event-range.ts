import type Stripe from 'stripe';
import { ENDPOINT_EVENT_TYPES } from '../../core/providers/stripe/event-effect';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { InvalidRequestError, messageOf } from '../../core/runtime/errors';
import { pagesOf } from '../../core/providers/stripe/pages';
import { EVENT_RETENTION_DAYS, eventLanes, listEvents } from '../../core/providers/stripe/requests';
import type { EventsReport, CheckedReplayRequest, ReportedEvent } from './contract';
import { applyAndReport, describe, type EventDependencies } from './dependencies';
import { ledgerOf } from './ledger';
import { ReportBuilder } from './report';

/** Times in seconds since 1970. */
interface Range {
  readonly gte: number;
  readonly lt: number;
}

/**
 * Compares the events that Stripe has in a range with the ledger, and applies those that are missing or failed if asked
 * to. Both are done page by page, newest first.
 *
 * @throws InvalidRequestError when the range is empty, or begins before what Stripe still lists
 */
export async function walkRange(
  dependencies: EventDependencies,
  request: { action: 'gaps' | 'replay'; from: Date; to?: Date | undefined; dryRun: boolean },
): Promise<EventsReport> {
  const { client, stripe, call, clock, stop } = dependencies;
  const range = rangeOf(request.from, request.to ?? clock(), clock());
  const lanes = eventLanes(ENDPOINT_EVENT_TYPES, range);
  /** Where each type's list is read up to; the rest of the range is what lies before the latest of them. */
  const unread = lanes.map(() => range.lt);
  const report = new ReportBuilder();
  for await (const { objects, index, next } of pagesOf(call, listEvents(stripe), lanes, stop)) {
    const ledger = await ledgerOf(
      client,
      objects.map(({ id }) => id),
    );
    const open: Stripe.Event[] = [];
    for (const event of objects) {
      const known = ledger.get(event.id);
      if (known?.status === 'processed') report.add({ ...describe(event), outcome: 'already_processed' });
      else if (request.action === 'replay') open.push(event);
      else if (known === undefined) report.add({ ...describe(event), outcome: 'missing' });
      else report.add({ ...describe(event), outcome: 'failed', error: known.error ?? `It is ${known.status}` });
    }
    if (request.dryRun) for (const event of open) report.add({ ...describe(event), outcome: 'would_apply' });
    else for (const event of await applyReadable(dependencies, open)) report.add(event);
    unread[index] = next.done === true ? range.gte : (objects.at(-1)?.created ?? range.gte) + 1;
  }
  const rest = Math.max(range.gte, ...unread);
  return report.report(
    request.action,
    request.dryRun,
    rest > range.gte ? goingOn(request, range.gte, rest) : undefined,
  );
}

async function applyReadable(
  dependencies: EventDependencies,
  events: readonly Stripe.Event[],
): Promise<ReportedEvent[]> {
  const unreadable: ReportedEvent[] = [];
  const readable = events.flatMap((event): StripeEvent[] => {
    try {
      return [readEvent(event)];
    } catch (error) {
      unreadable.push({ ...describe(event), outcome: 'failed', error: messageOf(error) });
      return [];
    }
  });
  return [...unreadable, ...(readable.length === 0 ? [] : await applyAndReport(dependencies, readable))];
}

function goingOn(
  request: { action: 'gaps' | 'replay'; dryRun: boolean },
  from: number,
  to: number,
): CheckedReplayRequest {
  const range = { from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString() };
  return request.action === 'gaps'
    ? { action: 'gaps', ...range }
    : { action: 'replay', ...range, dryRun: request.dryRun };
}

function rangeOf(from: Date, to: Date, now: Date): Range {
  if (from >= to) throw new InvalidRequestError('to: expected a moment after `from`');
  const earliest = new Date(now.getTime() - EVENT_RETENTION_DAYS * 86_400_000);
  if (from < earliest) {
    throw new InvalidRequestError(
      `from: Stripe lists the events of the last ${EVENT_RETENTION_DAYS} days only, so from ${earliest.toISOString()} on; ` +
        'for what is older, compare objects by reconciliation instead',
    );
  }
  return { gte: Math.floor(from.getTime() / 1000), lt: Math.ceil(to.getTime() / 1000) };
}
