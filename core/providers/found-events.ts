import { applyEvents, type EventOutcome, type ReceivedEvent } from '../billing/apply-events';
import { messageOf } from '../runtime/errors';
import type { ProviderName } from './contract';
import { PROVIDERS } from './registry';
import type { StripeWork } from './stripe/stripe-function';

/**
 * Applies events that were found rather than delivered, in one transaction, as if they had been delivered. An event that the
 * ledger has already keeps the source under which it was recorded.
 *
 * @param name provider of the events
 * @param found events as the provider lists them or the ledger keeps them
 * @returns the outcome of each event by its id; one that cannot be read has failed, and is not in the ledger
 */
export async function applyFoundEvents(
  { client, clock, apply }: Pick<StripeWork, 'client' | 'clock' | 'apply'>,
  name: ProviderName,
  found: readonly { readonly id: string }[],
): Promise<ReadonlyMap<string, EventOutcome>> {
  const queued = PROVIDERS[name];
  const receivedAt = clock();
  const events: ReceivedEvent<unknown>[] = [];
  const unreadable: [string, EventOutcome][] = [];
  for (const candidate of found) {
    try {
      events.push({ event: queued.readEvent(candidate), source: 'reconciliation', receivedAt });
    } catch (error) {
      unreadable.push([candidate.id, { status: 'failed', error: messageOf(error) }]);
    }
  }
  return new Map([...unreadable, ...(await applyEvents(client, queued.provider, events, apply))]);
}
