import { InvalidRequestError } from '../runtime/errors';
import type { QueuedProvider } from './queued-provider';

/** A message of the queue of events, or of those that are parked. */
export interface QueueMessage {
  /** As `providerOf` and `providerNamed` tell it. */
  readonly provider: string;
  readonly body: string;
}

/**
 * Reads the event of a message.
 *
 * @throws InvalidRequestError when the platform does not know the provider, or the body is no event of it: such a message can neither
 * be applied nor be found in the ledger
 */
export function readQueued(
  { provider: name, body }: QueueMessage,
  providers: ReadonlyMap<string, QueuedProvider>,
): { readonly queued: QueuedProvider; readonly event: unknown } {
  const queued = providers.get(name);
  if (!queued) {
    const known = [...providers.keys()].map((other) => `\`${other}\``).join(', ');
    throw new InvalidRequestError(`provider: expected one of ${known}, not \`${name}\``);
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new InvalidRequestError('The body is not JSON', cause);
  }
  return { queued, event: queued.readEvent(value) };
}
