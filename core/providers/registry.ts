import type { ProviderName } from './contract';
import type { QueuedProvider } from './queued-provider';
import { queuedStripe } from './stripe/queued';
import { queuedTilled } from './tilled/queued';

const PROVIDERS: Readonly<Record<ProviderName, QueuedProvider>> = {
  stripe: queuedStripe,
  tilled: queuedTilled,
};

/** The providers whose events come through the queue, by the names in its messages. */
export const QUEUED_PROVIDERS: ReadonlyMap<string, QueuedProvider> = new Map(Object.entries(PROVIDERS));
