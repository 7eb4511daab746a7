import type { ProviderName } from '../../core/providers/contract';
import { PROVIDERS } from '../../core/providers/registry';
import { chunksOf } from '../../core/providers/stripe/pages';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { EventsReport, ReportedEvent } from './contract';
import { storedEvents, openEvents, type StoredEvent } from './ledger';
import { applyAndReport, outcomeOfSettled, ReportBuilder } from './report';
import { SOURCES } from './sources';

/** Events that are applied in one transaction. */
const BATCH_SIZE = 100;

/** Applies the given events. Those that the ledger lacks are fetched from their provider. */
export async function retryEvents(
  work: StripeWork,
  { provider, events, dryRun }: { provider: ProviderName; events: readonly string[]; dryRun: boolean },
): Promise<EventsReport> {
  const report = new ReportBuilder();
  for (const ids of chunksOf([...new Set(events)], BATCH_SIZE)) {
    const stored = await storedEvents(work.client, provider, ids);
    const candidates = ids.map((id): Candidate => stored.get(id) ?? { id });
    report.add(...(await retry(work, provider, candidates, dryRun)));
  }
  return report.build('retry', dryRun);
}

/** Applies every event that is open in the ledger, each once: one that fails again is not tried a second time. */
export async function retryFailed(
  work: StripeWork,
  { provider, after = '', dryRun }: { provider: ProviderName; after?: string | undefined; dryRun: boolean },
): Promise<EventsReport> {
  const report = new ReportBuilder();
  for (let last = after; ;) {
    const events = await openEvents(work.client, provider, last, BATCH_SIZE);
    const newLast = events.at(-1)?.id;
    if (newLast === undefined) return report.build('retry', dryRun);
    if (work.stop.aborted) {
      return report.build('retry', dryRun, { action: 'retry', provider, events: 'failed', after: last, dryRun });
    }
    report.add(...(await retry(work, provider, events, dryRun)));
    last = newLast;
  }
}

/** An event to retry; only its id when the ledger lacks it. */
type Candidate = StoredEvent | { readonly id: string; readonly status?: undefined };

async function retry(
  work: StripeWork,
  provider: ProviderName,
  candidates: readonly Candidate[],
  dryRun: boolean,
): Promise<ReportedEvent[]> {
  const reports: ReportedEvent[] = [];
  const events: WholeEvent[] = [];
  for (const candidate of candidates) {
    // An event that was ignored may have an effect by now: it is tried again.
    if (candidate.status === 'processed' || candidate.status === 'dismissed') {
      const { id, type, occurred_at } = candidate;
      reports.push({ id, type, created: occurred_at.toISOString(), outcome: outcomeOfSettled(candidate) });
      continue;
    }
    const event = await wholeEvent(work, provider, candidate);
    if (event === undefined) reports.push({ id: candidate.id, outcome: 'notFound' });
    else events.push(event);
  }
  return [...reports, ...(await applyAndReport(work, provider, events, dryRun))];
}

/** An event whose envelope was checked. */
interface WholeEvent {
  readonly id: string;
}

/** The event as the ledger keeps it, or else as its provider has it; `undefined` when that does not have it either. */
async function wholeEvent(
  work: StripeWork,
  provider: ProviderName,
  candidate: Candidate,
): Promise<WholeEvent | undefined> {
  const queued = PROVIDERS[provider];
  if (candidate.status !== undefined) {
    try {
      return queued.readEvent(candidate.payload) as WholeEvent;
    } catch {
      // The event could not be stored when it arrived: the ledger has only its id.
    }
  }
  const retrieved = await SOURCES[provider].retrieve(work, candidate.id);
  return retrieved === undefined ? undefined : (queued.readEvent(retrieved) as WholeEvent);
}
