import { setTimeout as sleep } from 'node:timers/promises';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { canaryEvent, signAsStripe } from '../../core/providers/stripe/canary';
import { messageOf, OperationError } from '../../core/runtime/errors';
import type { CanaryReport } from './contract';

/** What the ledger says about an event; `undefined` when it has no row. It throws when that cannot be known. */
export type ReadStatus = (eventId: string) => Promise<string | undefined>;

export interface CanaryDependencies {
  readonly endpointUrl: string;
  readonly signingSecret: string;
  readonly readStatus: ReadStatus;
  /** Whether the firewall admits only addresses that are listed. */
  readonly addressesListed: boolean;
  readonly clock: () => Date;
  /** Unique among the runs of one millisecond. */
  readonly suffix: string;
  /** Milliseconds that the answer of the endpoint may take. Stripe waits for some ten seconds. */
  readonly answerWithinMs?: number;
  /** Milliseconds that the row may take after that. */
  readonly recordedWithinMs?: number;
  /** Milliseconds between two looks at the ledger. */
  readonly pollMs?: number;
}

const FORBIDDEN = 403;

/**
 * Sends an event of the platform's own through the public endpoint, as Stripe would, and waits for its row in the ledger.
 *
 * @throws OperationError `endpoint_refused` when the endpoint does not answer 200, `event_not_recorded` when the row does not
 * come, or could not be applied
 */
export async function sendCanary(dependencies: CanaryDependencies): Promise<CanaryReport> {
  const { clock, suffix, readStatus, recordedWithinMs = 120_000, pollMs = 1_000 } = dependencies;
  const started = performance.now();
  const elapsedMs = () => Math.round(performance.now() - started);
  const event = canaryEvent(clock(), suffix);
  await post(JSON.stringify(event), dependencies);
  const acknowledgedMs = elapsedMs();
  let problem = '';
  while (elapsedMs() - acknowledgedMs < recordedWithinMs) {
    const status = await readStatus(event.id).catch((error: unknown) => {
      // Whether the row is there is unknown, and may be known in a second.
      problem = `; the last look at it failed: ${messageOf(error)}`;
    });
    // An event without effect is neither processed nor at work for long.
    if (status === 'ignored') return { eventId: event.id, acknowledgedMs, recordedMs: elapsedMs() };
    if (status === 'failed') {
      throw new OperationError('event_not_recorded', `${event.id} was recorded as failed; its row says why`);
    }
    await sleep(pollMs);
  }
  const seconds = Math.round(recordedWithinMs / 1_000);
  throw new OperationError(
    'event_not_recorded',
    `${event.id} was answered 200 and was not in the ledger ${seconds} s later: see the queue and the processor${problem}`,
  );
}

async function post(
  payload: string,
  { endpointUrl, signingSecret, addressesListed, answerWithinMs = 10_000 }: CanaryDependencies,
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(endpointUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [WEBHOOK_ENDPOINTS.stripe.signatureHeader]: signAsStripe(payload, signingSecret),
      },
      body: payload,
      redirect: 'error',
      signal: AbortSignal.timeout(answerWithinMs),
    });
  } catch (cause) {
    const reason = messageOf(cause instanceof Error && cause.cause ? cause.cause : cause);
    throw new OperationError('endpoint_refused', `${endpointUrl} did not answer: ${reason}`, { cause });
  }
  const answer = await response.text().catch(() => '');
  if (response.status === 200) return;
  const listed =
    response.status === FORBIDDEN && addressesListed
      ? '; the firewall admits the addresses of `stripe.webhookAddresses` and of the NAT gateways: is one missing in `existingNetwork.egressAddresses`?'
      : '';
  throw new OperationError(
    'endpoint_refused',
    `${endpointUrl} answered ${response.status} ${answer.slice(0, 200)}${listed}`,
  );
}
