import * as z from 'zod';
import type { CacheEnvironment } from '../../core/cache/contract';
import type { BaseEnvironment, BillingDatabaseEnvironment } from '../../core/contract';
import { BITCOIN_STATUSES } from '../../core/providers/bitcoin/contract';
import { dryRun, isoTime, type OperationContract } from '../../core/runtime/contract';

export interface ConfirmationsEnvironment extends BaseEnvironment, BillingDatabaseEnvironment, CacheEnvironment {
  /** Network that the node is of, such as `mainnet`. */
  readonly BITCOIN_NETWORK: string;
  /** URL of the node's JSON-RPC. */
  readonly NODE_URL: string;
  /** Secret with JSON `{"username": …, "password": …}`, and `ca` where no public authority signed the node's certificate. */
  readonly NODE_SECRET_ARN: string;
}

const reasonForm = 'expected why it is accepted, in at most 500 characters';
const receivedForm = 'expected the satoshi that a dry run answered, such as 60000';
const byForm = 'expected who accepts it';
const acceptance = z.strictObject({
  payment: z
    .string()
    .regex(/^btc_[0-9A-Za-z_-]{1,200}$/, 'expected the id of a payment such as btc_order-17')
    .describe('Id of the payment.'),
  reason: z
    .string({ error: reasonForm })
    .trim()
    .min(1, reasonForm)
    .max(500, reasonForm)
    .describe('Why, for the record.'),
  by: z.string({ error: byForm }).trim().min(1, byForm).max(500, byForm).describe('Who accepts it, for the record.'),
  received: z
    .string({ error: receivedForm })
    .regex(/^\d{1,16}$/, receivedForm)
    .optional()
    .describe('Satoshi that were confirmed, as a dry run answered them. Required unless dryRun.'),
});
export type Acceptance = Readonly<z.infer<typeof acceptance>>;

export const confirmationsRequest = z.strictObject({
  dryRun,
  accept: acceptance
    .optional()
    .describe(
      'Takes what has arrived for a payment as all of it, late or less than was asked for, and does not look at the chain. Default: none.',
    ),
});
/** Asks for expected payments to be brought up to date with the node. */
export type ConfirmationsRequest = Readonly<z.input<typeof confirmationsRequest>>;

const reorganisation = z.strictObject({
  forkHeight: z.int().describe('Height of the last block that stayed.'),
  depth: z.int().describe('Blocks that were taken back.'),
  transactions: z.int().describe('Transactions of expected payments in them.'),
});
export type Reorganisation = Readonly<z.infer<typeof reorganisation>>;

export const confirmationsReport = z.strictObject({
  dryRun: z.boolean().describe('`true` when nothing was stored.'),
  outcome: z
    .enum(['up_to_date', 'behind', 'node_behind', 'node_unreachable', 'not_followed'])
    .describe(
      '`up_to_date`: every block of the node was looked at. `behind`: the time was up; the next run continues. `node_behind`: the node has fewer blocks than were looked at. `node_unreachable`: `problem` says why. `not_followed`: with `accept`, neither the chain nor the node was asked.',
    ),
  problem: z.string().nullable(),
  height: z.int().nullable().describe('Height of the last block that was looked at; null before the first.'),
  nodeHeight: z.int().nullable().describe('Height of the node.'),
  blockAt: isoTime.nullable().describe('ISO time that the last block carries.'),
  blocks: z.int().describe('Blocks that this run looked at.'),
  reorganisations: z.array(reorganisation).readonly(),
  mempool: z
    .strictObject({
      size: z.int().describe('Transactions in the mempool of the node.'),
      examined: z.int().describe('Those that this run looked at; it knew the others.'),
      complete: z.boolean().describe('`false` when some are left to the next run.'),
    })
    .nullable(),
  changes: z
    .partialRecord(z.enum(BITCOIN_STATUSES), z.int())
    .readonly()
    .describe('Payments by the status that they changed to.'),
  accepted: z
    .strictObject({
      payment: z.string(),
      before: z.enum(BITCOIN_STATUSES),
      status: z.enum(BITCOIN_STATUSES).describe('Of the payment now; as before in a dry run.'),
      asked: z.string().describe('Satoshi that were asked for.'),
      received: z.string().describe('Satoshi that have arrived.'),
    })
    .nullable()
    .describe('Null where nothing was to be accepted.'),
  takenBack: z.int().describe('Payments that were settled and are not any more.'),
  durationMs: z.number().describe('Milliseconds of this invocation.'),
});
export type ConfirmationsReport = Readonly<z.infer<typeof confirmationsReport>>;

/** Follows the chain and the mempool of a node, and brings expected payments up to date. */
export const contract = {
  request: confirmationsRequest,
  report: confirmationsReport,
  effect: 'changes',
} as const satisfies OperationContract;

export const CONFIRMATIONS_METRICS = {
  /** 1 for each run that ended without an error, whether or not it reached the node. */
  succeeded: 'ConfirmationsSucceeded',
  /** 1 for each run that hit an error. */
  failed: 'ConfirmationsFailed',
  durationMs: 'ConfirmationsDuration',
  /** 1 for each run that the node did not answer, 0 for any other. */
  nodeUnreachable: 'BitcoinNodeUnreachable',
  /** Seconds since the time that the last block carries which was looked at. Not published before the first. */
  blockAgeSeconds: 'BitcoinBlockAge',
  /** Blocks that the deepest reorganisation of a run took back; 0 without one. */
  reorganisationDepth: 'BitcoinReorganisationDepth',
  /** Payments that became `failed` or `late`: money, or a loss, that nobody has decided about. */
  paymentsLost: 'BitcoinPaymentsLost',
  /** Seconds since the first transaction was seen of the oldest payment that is neither settled nor lost; 0 for none. */
  oldestUnsettledSeconds: 'BitcoinOldestUnsettled',
  /** Mean seconds from the first sight to the settlement, of what was settled in the last 24 hours. Not published without any. */
  confirmationSeconds: 'BitcoinConfirmationTime',
} as const;
