import * as z from 'zod';
import type { CacheEnvironment } from '../../core/cache/contract';
import type { StripeFunctionEnvironment } from '../../core/contract';
import { dryRun, type OperationContract } from '../../core/runtime/contract';

export interface RefreshEnvironment extends StripeFunctionEnvironment, CacheEnvironment {}

const objectForm = 'expected the id of an object at Stripe, such as sub_123, in_123 or cus_123';

const note = (expected: string) =>
  z.string({ error: expected }).trim().min(1, expected).max(500, 'at most 500 characters');

export const refreshRequest = z.strictObject({
  object: z
    .string({ error: objectForm })
    .regex(/^[a-z]+_\S{1,250}$/, objectForm)
    .optional()
    .describe(
      'Id of one object, which is read whether or not its refresh is pending. Default: every object whose refresh is due.',
    ),
  cancelMissing: z
    .strictObject({
      reason: note('expected why it is canceled').describe('Why it is canceled, for the record.'),
      by: note('expected who decided it').describe('Who decided it, for the record.'),
    })
    .optional()
    .describe(
      'Cancels `object` here as of now if Stripe does not have it: a subscription, purchase, invoice, invoice payment, payment intent, charge, dispute or early fraud warning. Default: what Stripe does not have stays as it is.',
    ),
  dryRun,
});
/** Asks for objects to be read from Stripe again and stored as they are there. */
export type RefreshRequest = Readonly<z.input<typeof refreshRequest>>;

const objectOutcome = z
  .enum(['refreshed', 'unchanged', 'missing', 'canceled', 'later', 'failed'])
  .describe(
    '`refreshed`: stored as Stripe has it. `unchanged`: what is stored is final, ahead of the present by a test clock, or, with `cancelMissing`, neither grants nor counts. `missing`: Stripe does not have it. `canceled`: Stripe does not have it, and it was canceled here by `cancelMissing`. `later`: an event as new as the answer is stored; the next run asks again. `failed`: `error` says why; tried again later.',
  );
export type ObjectOutcomeName = z.infer<typeof objectOutcome>;

const refreshedObject = z.strictObject({
  id: z.string(),
  kind: z.string().describe('Kind of the object, such as `subscription`.'),
  outcome: objectOutcome,
  error: z.string().optional(),
});
export type RefreshedObject = Readonly<z.infer<typeof refreshedObject>>;

export const refreshReport = z.strictObject({
  dryRun: z.boolean().describe('`true` when nothing was stored.'),
  outcomes: z
    .partialRecord(objectOutcome, z.int())
    .readonly()
    .describe('How many objects there were of each outcome; outcomes that did not occur are left out.'),
  objects: z.array(refreshedObject).readonly().describe('The first 100 objects.'),
  pending: z.int().describe('Refreshes that are not done, due or not.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
});
export type RefreshReport = Readonly<z.infer<typeof refreshReport>>;

/** Reads objects from Stripe again that events alone cannot bring up to date. */
export const contract = {
  request: refreshRequest,
  report: refreshReport,
  effect: 'changes',
} as const satisfies OperationContract;

export const REFRESH_METRICS = {
  /** Objects that were stored as Stripe has them. */
  refreshed: 'ObjectsRefreshed',
  /** Objects that could not be read or stored this time. */
  objectsFailed: 'ObjectRefreshesFailed',
  /** 1 for each run that hit an error. */
  failed: 'RefreshFailed',
  durationMs: 'RefreshDuration',
} as const;
