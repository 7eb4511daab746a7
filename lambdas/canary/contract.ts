import * as z from 'zod';
import type { BaseEnvironment } from '../../core/contract';
import type { OperationContract } from '../../core/runtime/contract';

export interface CanaryEnvironment extends BaseEnvironment {
  /** Public URL of the endpoint that Stripe delivers to. */
  readonly ENDPOINT_URL: string;
  /** Secret that the endpoint verifies signatures with; the event is signed with its current value. */
  readonly STRIPE_SIGNING_SECRET_ARN: string;
  /** Function that is asked for the row: it reads, and the canary itself has no way to a database. */
  readonly INSPECT_FUNCTION_NAME: string;
  /** `true` where the firewall admits only addresses that are listed: what is answered 403 is explained by that. */
  readonly ADDRESSES_LISTED: string;
}

const canaryRequest = z.strictObject({});

const canaryReport = z.strictObject({
  eventId: z.string().describe('Id of the event, and of its row in the ledger.'),
  acknowledgedMs: z.number().describe('Milliseconds until the endpoint answered 200.'),
  recordedMs: z.number().describe('Milliseconds from the beginning until the row was in the ledger.'),
});
export type CanaryReport = Readonly<z.infer<typeof canaryReport>>;

/** Sends a signed event of the platform's own through the endpoint, and waits for its row. */
export const contract = {
  request: canaryRequest,
  report: canaryReport,
  effect: 'adds',
} as const satisfies OperationContract;

export const CANARY_METRICS = {
  /** 1 for each event that was acknowledged and recorded. */
  succeeded: 'CanarySucceeded',
  /** 1 for each that was not. */
  failed: 'CanaryFailed',
  /** 1 for each run without an event to send, because the signing secret is not filled in yet. Counted as failed, too. */
  unconfigured: 'CanaryUnconfigured',
  /** 1 for each run that had a secret to sign with, and whose event did not arrive. */
  lost: 'CanaryLost',
  /** Milliseconds from the beginning of the request until the row was in the ledger. */
  latencyMs: 'CanaryLatency',
} as const;
