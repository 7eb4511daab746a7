import * as z from 'zod';
import type { CacheEnvironment } from '../../core/cache/contract';
import type { StripeFunctionEnvironment, TilledApiEnvironment } from '../../core/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface ReconciliationEnvironment extends StripeFunctionEnvironment, TilledApiEnvironment, CacheEnvironment {
  /** Days that a run looks back for missed events and purchases; Stripe lists events for 30 days at most. */
  readonly DAYS_BACK: string;
  /** Subscriptions, and as many purchases, whose entitlements a run computes again from Stripe. */
  readonly SAMPLED_ENTITLEMENTS: string;
}

/** More would take most of Stripe's rate limit for minutes; `entitlements: "all"` is for that. */
export const MAX_SAMPLED_ENTITLEMENTS = 1_000;

/**
 * Seconds before a run that are left to the next one, whose window overlaps: an event of these may still be in the queue,
 * where the third and last attempt begins after 6 minutes and ends after 9. Lower reports deliveries that are merely slow
 * as missed, which pages on-call; higher corrects a loss that much later.
 */
export const SETTLE_SECONDS = 900;

/** Days that Stripe lists events for. */
export const MAX_DAYS_BACK = 30;

const daysForm = `expected a whole number of days from 1 to ${MAX_DAYS_BACK}`;
const settleForm = `expected a whole number of seconds up to ${SETTLE_SECONDS}`;

export const reconciliationRequest = z.strictObject({
  dryRun,
  daysBack: z
    .int(daysForm)
    .min(1, daysForm)
    .max(MAX_DAYS_BACK, daysForm)
    .optional()
    .describe(
      'Days to look back, at least: a run always reaches back to the last complete one. Default: DAYS_BACK of the environment.',
    ),
  settleSeconds: z
    .int(settleForm)
    .min(0, settleForm)
    .max(SETTLE_SECONDS, settleForm)
    .default(SETTLE_SECONDS)
    .describe(
      `Seconds before its start that a run does not look at. 0 after an outage that has just ended, to correct everything up to now; events that are being delivered at that moment are then counted as missed, harmlessly. Default: ${SETTLE_SECONDS}.`,
    ),
  entitlements: z
    .enum(['sample', 'all'], { error: 'expected `sample` or `all`' })
    .default('sample')
    .describe(
      'Whose entitlements are computed again from Stripe: a `sample` that is another one each day, or `all`, at four calls for a subscription and one for a purchase: repeat the request until the run is complete. Default: sample.',
    ),
});
/**
 * Asks for a comparison with Stripe. A run that ran out of time answers `interrupted`: the next invocation continues it,
 * so a caller that needs a complete run repeats the request until it is.
 */
export type ReconciliationRequest = Readonly<z.input<typeof reconciliationRequest>>;

const count = (what: string) => z.int().describe(what);

export const reconciliationReport = z.strictObject({
  runId: z.string().describe('Id of the run.'),
  status: z
    .enum(['complete', 'interrupted'])
    .describe('`interrupted` when the time was up: the next invocation continues this run.'),
  dryRun: z.boolean().describe('`true` when nothing was corrected.'),
  comparedUntil: isoTime.describe(
    'End of the window: events of Stripe, and what was created there, from this moment on are left to a later run. That of a continued run is the one it began with.',
  ),
  uncomparedSeconds: count('Seconds from `comparedUntil` to the start of this invocation; 0 when all was compared.'),
  eventsChecked: count('Events of Stripe, and of Tilled where it is taken, that were looked up in the ledger.'),
  eventsMissed: count('Events that the ledger lacked.'),
  subscriptions_checked: count('Subscriptions that were compared.'),
  purchases_checked: count('Purchases that were compared.'),
  chargesChecked: count('Charges that were compared.'),
  kinds: z
    .record(
      z.string(),
      z.strictObject({ checked: count('Objects that were compared.'), drift: count('Objects that differed.') }),
    )
    .describe('What was compared and what differed, by kind: `event`, `tilled_event`, `invoice`, `entitlements`, …'),
  drift_detected: count('Objects that differed from Stripe, and events that were missed.'),
  corrected: count('Objects and events that were brought in line with Stripe.'),
  errors: count('Objects and events that could not be read or applied.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
});
export type ReconciliationReport = Readonly<z.infer<typeof reconciliationReport>>;

/** Compares the billing database with Stripe, and corrects what differs; missed events of Tilled are applied as well. */
export const contract = {
  request: reconciliationRequest,
  report: reconciliationReport,
  effect: 'changes',
} as const satisfies OperationContract;

export const RECONCILIATION_METRICS = {
  succeeded: 'ReconciliationSucceeded',
  failed: 'ReconciliationFailed',
  /** Runs out of time that the next invocation continues. */
  interrupted: 'ReconciliationInterrupted',
  driftDetected: 'DriftDetected',
  missedEvents: 'MissedEvents',
  durationMs: 'ReconciliationDuration',
} as const;
