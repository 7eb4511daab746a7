import type { StripeWork } from '../../core/providers/stripe/stripe-function';
import type { SecretVersion } from '../../core/runtime/secrets';
import { checkStripe } from './check';
import type { CheckedReplayRequest, CheckReport, DiscardReport, EventsReport, RedriveReport } from './contract';
import { discard } from './discard';
import { dismiss } from './dismiss';
import { walkRange } from './event-range';
import { redrive, type QueueDependencies } from './redrive';
import { retryEvents, retryFailed } from './retry';

export interface ReplayDependencies extends QueueDependencies {
  /** Runs `work` with a connection to the billing database and a client of Stripe. */
  readonly useStripe: <T>(work: (dependencies: StripeWork) => Promise<T>, key?: SecretVersion) => Promise<T>;
}

/**
 * Finds gaps in what was received, or applies events again. Moving or deleting parked messages needs neither Stripe nor the database.
 *
 * @throws OperationError as {@link redrive}, {@link discard} and {@link walkRange} describe, `stripe_unavailable`, `database_unavailable`
 */
export function replay(
  dependencies: ReplayDependencies,
  request: CheckedReplayRequest,
): Promise<CheckReport | DiscardReport | EventsReport | RedriveReport> {
  switch (request.action) {
    case 'redrive':
      return redrive(dependencies, request);
    case 'discard':
      return discard(dependencies, request);
    case 'check':
      // Looked up, not remembered: an operator asks because it was just changed.
      return dependencies.useStripe(checkStripe, request.key);
    case 'retry': {
      const { events, ...options } = request;
      return dependencies.useStripe((work) =>
        events === 'failed' ? retryFailed(work, options) : retryEvents(work, { events, ...options }),
      );
    }
    case 'dismiss':
      return dependencies.useStripe((work) => dismiss(work, request));
    default:
      return dependencies.useStripe((work) => walkRange(work, request));
  }
}
