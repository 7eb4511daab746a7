import * as z from 'zod';
import type { CacheEnvironment } from '../../core/cache/contract';
import type { StripeFunctionEnvironment } from '../../core/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface PayoutsEnvironment extends StripeFunctionEnvironment, CacheEnvironment {}

const payoutForm = 'expected the id of a payout, such as po_123';
const byForm = 'expected who asks for it';

export const payoutsRequest = z.strictObject({
  payout: z
    .string({ error: payoutForm })
    .regex(/^po_[A-Za-z0-9_]{1,250}$/, payoutForm)
    .describe('Id of the failed payout.'),
  by: z
    .string({ error: byForm })
    .trim()
    .min(1, byForm)
    .max(500, 'at most 500 characters')
    .describe('Who asks for it, for the record.'),
  dryRun,
});
/** Pays a connected account the amount of a failed payout again. */
export type PayoutsRequest = Readonly<z.input<typeof payoutsRequest>>;

export const payoutsReport = z.strictObject({
  payout: z.string().describe('Id of the failed payout.'),
  account: z.string().nullable().describe("Connected account that is paid; null for the platform's own."),
  amount: z.string().describe('In the smallest unit of the currency.'),
  currency: z.string(),
  dryRun: z.boolean().describe('`true` when nothing was changed.'),
  outcome: z
    .enum(['created', 'alreadyRetried', 'wouldRetry'])
    .describe(
      '`created`: Stripe made the new payout now. `alreadyRetried`: an earlier request did, and nothing was made. `wouldRetry`: a dry run found nothing against it.',
    ),
  newPayout: z
    .strictObject({ id: z.string(), status: z.string(), arrivesAt: isoTime })
    .nullable()
    .describe('The payout that repeats it; null in a dry run.'),
});
export type PayoutsReport = Readonly<z.infer<typeof payoutsReport>>;

/** Repeats a failed payout at Stripe, once its account is not restricted any more. */
export const contract = {
  request: payoutsRequest,
  report: payoutsReport,
  effect: 'changes',
} as const satisfies OperationContract;
