import Stripe from 'stripe';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { OperationError } from '../../core/runtime/errors';
import { chunksOf } from '../../core/providers/stripe/pages';
import { retrieveEvent } from '../../core/providers/stripe/requests';
import type { EventsReport, ReportedEvent } from './contract';
import { applyAndReport, describe, type EventDependencies } from './dependencies';
import { storedEvents, unprocessedEvents, type StoredEvent } from './ledger';
import { ReportBuilder } from './report';

/** Events that are applied in one transaction. */
const BATCH_SIZE = 100;
/** Of single events, the few that the ledger does not keep are asked of Stripe one by one. */
const NOT_FOUND = 404;

/** Applies the given events; one that the ledger does not know is fetched from Stripe. */
export async function retryEvents(
  dependencies: EventDependencies,
  { events, dryRun }: { events: readonly string[]; dryRun: boolean },
): Promise<EventsReport> {
  const report = new ReportBuilder();
  for (const ids of chunksOf([...new Set(events)], BATCH_SIZE)) {
    const stored = await storedEvents(dependencies.client, ids);
    const outcomes = await retry(
      dependencies,
      ids.map((id) => stored.get(id) ?? { id }),
      dryRun,
    );
    for (const outcome of outcomes) report.add(outcome);
  }
  return report.report('retry', dryRun, undefined);
}

/** Applies every event that the ledger has as not processed, each once: what fails again is not tried twice. */
export async function retryFailed(
  dependencies: EventDependencies,
  { after = '', dryRun }: { after?: string | undefined; dryRun: boolean },
): Promise<EventsReport> {
  const report = new ReportBuilder();
  for (let last = after; ;) {
    const events = await unprocessedEvents(dependencies.client, last, BATCH_SIZE);
    const next = events.at(-1)?.id;
    if (next === undefined) return report.report('retry', dryRun, undefined);
    if (dependencies.stop.aborted) {
      return report.report('retry', dryRun, { action: 'retry', events: 'failed', after: last, dryRun });
    }
    for (const outcome of await retry(dependencies, events, dryRun)) report.add(outcome);
    last = next;
  }
}

type Candidate = StoredEvent | { readonly id: string; readonly status?: undefined };

async function retry(
  dependencies: EventDependencies,
  candidates: readonly Candidate[],
  dryRun: boolean,
): Promise<ReportedEvent[]> {
  const settled: ReportedEvent[] = [];
  const events: StripeEvent[] = [];
  for (const candidate of candidates) {
    if (candidate.status === 'processed') {
      settled.push({ ...describeStored(candidate), outcome: 'already_processed' });
      continue;
    }
    const event = await wholeEvent(dependencies, candidate);
    if (event === undefined) settled.push({ id: candidate.id, outcome: 'not_found' });
    else if (dryRun) settled.push({ ...describe(event), outcome: 'would_apply' });
    else events.push(event);
  }
  return [...settled, ...(events.length === 0 ? [] : await applyAndReport(dependencies, events))];
}

/** The event as the ledger keeps it, or as Stripe has it when the ledger could not keep it. */
async function wholeEvent({ stripe, call }: EventDependencies, candidate: Candidate): Promise<StripeEvent | undefined> {
  if (candidate.status !== undefined) {
    try {
      return readEvent(candidate.payload);
    } catch {
      // It could not be stored, so the ledger has only its name.
    }
  }
  try {
    return readEvent((await call(() => retrieveEvent(stripe, candidate.id))).value);
  } catch (error) {
    const { cause } = error instanceof OperationError ? error : {};
    if (cause instanceof Stripe.errors.StripeError && cause.statusCode === NOT_FOUND) return undefined;
    throw error;
  }
}

function describeStored({ id, type, occurred_at }: StoredEvent): Omit<ReportedEvent, 'outcome'> {
  return { id, type, created: occurred_at.toISOString() };
}
