import type { QueuedProvider } from './queued-provider';
import { queuedStripe } from './stripe/queued';

const PROVIDERS: readonly QueuedProvider[] = [queuedStripe];

/** The providers whose events come through the queue, by the names in its messages. */
export const QUEUED_PROVIDERS: ReadonlyMap<string, QueuedProvider> = new Map(
  PROVIDERS.map((queued) => [queued.provider.name, queued]),
);
