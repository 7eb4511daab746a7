import { chunksOf } from '../../core/providers/stripe/pages';
import { retrieveEvent } from '../../core/providers/stripe/requests';
import { readEvent, type StripeEvent } from '../../core/providers/stripe/shapes';
import { isMissingAtStripe } from '../../core/providers/stripe/snapshots';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { EventsReport, ReportedEvent } from './contract';
import { storedEvents, openEvents, type StoredEvent } from './ledger';
import { applyAndReport, outcomeOfSettled, ReportBuilder } from './report';

/** Events that are applied in one transaction. */
const BATCH_SIZE = 100;

/** Applies the given events. Those that the ledger lacks are fetched from Stripe. */
export async function retryEvents(
  work: StripeWork,
  { events, dryRun }: { events: readonly string[]; dryRun: boolean },
): Promise<EventsReport> {
  const report = new ReportBuilder();
  for (const ids of chunksOf([...new Set(events)], BATCH_SIZE)) {
    const stored = await storedEvents(work.client, ids);
    const candidates = ids.map((id): Candidate => stored.get(id) ?? { id });
    report.add(...(await retry(work, candidates, dryRun)));
  }
  return report.build('retry', dryRun);
}

/** Applies every event that is open in the ledger, each once: one that fails again is not tried a second time. */
export async function retryFailed(
  work: StripeWork,
  { after = '', dryRun }: { after?: string | undefined; dryRun: boolean },
): Promise<EventsReport> {
  const report = new ReportBuilder();
  for (let last = after; ;) {
    const events = await openEvents(work.client, last, BATCH_SIZE);
    const newLast = events.at(-1)?.id;
    if (newLast === undefined) return report.build('retry', dryRun);
    if (work.stop.aborted) {
      return report.build('retry', dryRun, { action: 'retry', events: 'failed', after: last, dryRun });
    }
    report.add(...(await retry(work, events, dryRun)));
    last = newLast;
  }
}

/** An event to retry; only its id when the ledger lacks it. */
type Candidate = StoredEvent | { readonly id: string; readonly status?: undefined };

async function retry(work: StripeWork, candidates: readonly Candidate[], dryRun: boolean): Promise<ReportedEvent[]> {
  const reports: ReportedEvent[] = [];
  const events: StripeEvent[] = [];
  for (const candidate of candidates) {
    // An event that was ignored may have an effect by now: it is tried again.
    if (candidate.status === 'processed' || candidate.status === 'dismissed') {
      const { id, type, occurred_at } = candidate;
      reports.push({ id, type, created: occurred_at.toISOString(), outcome: outcomeOfSettled(candidate) });
      continue;
    }
    const event = await wholeEvent(work, candidate);
    if (event === undefined) reports.push({ id: candidate.id, outcome: 'notFound' });
    else events.push(event);
  }
  return [...reports, ...(await applyAndReport(work, events, dryRun))];
}

/** The event as the ledger keeps it, or else as Stripe has it; `undefined` when Stripe does not have it either. */
async function wholeEvent({ stripe, call }: StripeWork, candidate: Candidate): Promise<StripeEvent | undefined> {
  if (candidate.status !== undefined) {
    try {
      return readEvent(candidate.payload);
    } catch {
      // The event could not be stored when it arrived: the ledger has only its id.
    }
  }
  try {
    return readEvent((await call(() => retrieveEvent(stripe, candidate.id))).value);
  } catch (error) {
    if (isMissingAtStripe(error)) return undefined;
    throw error;
  }
}
