import type { ProviderName } from './contract';
import type { QueuedProvider } from './queued-provider';
import { queuedStripe } from './stripe/queued';
import { queuedTilled } from './tilled/queued';

/** What the processor, reconciliation and replay need of each provider. */
export const PROVIDERS: Readonly<Record<ProviderName, QueuedProvider>> = {
  stripe: queuedStripe,
  tilled: queuedTilled,
};

/** The providers whose events come through the queue, by the names in its messages. */
export const QUEUED_PROVIDERS: ReadonlyMap<string, QueuedProvider> = new Map(Object.entries(PROVIDERS));
