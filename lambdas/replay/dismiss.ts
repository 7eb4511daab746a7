import type { ProviderName } from '../../core/providers/contract';
import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { EventsReport, ReportedEvent } from './contract';
import { dismissEvents, isOpen, storedEvents, type Dismissal } from './ledger';
import { outcomeOfSettled, ReportBuilder } from './report';

/** Dismisses events that are open in the ledger; a dry run says which those are. */
export async function dismiss(
  { client }: Pick<StripeWork, 'client'>,
  {
    provider,
    events,
    dryRun,
    ...dismissal
  }: Dismissal & { provider: ProviderName; events: readonly string[]; dryRun: boolean },
): Promise<EventsReport> {
  const ids = [...new Set(events)];
  const stored = await storedEvents(client, provider, ids);
  const dismissed = dryRun ? new Set<string>() : await dismissEvents(client, provider, ids, dismissal);
  const report = new ReportBuilder();
  for (const id of ids) {
    const known = stored.get(id);
    if (known === undefined) {
      report.add({ id, outcome: 'notFound' });
      continue;
    }
    const { type, occurred_at, error } = known;
    const outcome = (): Pick<ReportedEvent, 'outcome' | 'error'> => {
      if (dismissed.has(id)) return { outcome: 'dismissed' };
      if (isOpen(known)) return { outcome: 'wouldDismiss', ...(error === null ? {} : { error }) };
      return { outcome: outcomeOfSettled(known) };
    };
    report.add({ id, type, created: occurred_at.toISOString(), ...outcome() });
  }
  return report.build('dismiss', dryRun);
}
