import * as z from 'zod';
import { BITCOIN_STATUSES } from '../../../core/providers/bitcoin/contract';
import { isoTime } from '../../../core/runtime/contract';

const limitForm = 'expected a whole number from 1 to 200';
const satoshi = z.string().describe('In satoshi.');
const status = z.enum(BITCOIN_STATUSES);

const payment = z.strictObject({
  id: z.string(),
  projectId: z.string().nullable(),
  userId: z.string(),
  status,
  amount: satoshi,
  received: satoshi.describe('In satoshi, of the transactions that are in the mempool or in a block.'),
  firstSeenAt: isoTime.nullable(),
  changedAt: isoTime.describe('ISO time of the last change of the status.'),
  transactions: z.array(z.strictObject({ txid: z.string(), state: z.string(), blockHeight: z.int().nullable() })),
});

/** Payments in bitcoin. */
export const bitcoin = {
  request: z.strictObject({
    action: z
      .literal('bitcoin')
      .describe(
        'Answers how payments in bitcoin are: under way, lost, how long they take, for whom, and how far the chain is.',
      ),
    limit: z
      .int(limitForm)
      .min(1, limitForm)
      .max(200, limitForm)
      .default(20)
      .describe('Payments to list at most, of each kind. Default: 20.'),
  }),
  report: z.strictObject({
    action: z.literal('bitcoin'),
    chain: z
      .strictObject({
        network: z.string(),
        height: z.int().describe('Height of the last block that was looked at.'),
        blockAt: isoTime.describe('ISO time that it carries.'),
        nodeHeight: z.int(),
        nodeAt: isoTime.describe('ISO time at which the node last answered.'),
        scannedAt: isoTime.nullable().describe('ISO time of the last complete look at the mempool.'),
      })
      .nullable()
      .describe('Null before the first run.'),
    statuses: z.array(z.strictObject({ status, payments: z.int(), amount: satoshi })),
    lastDay: z.strictObject({
      settled: z.int(),
      lost: z.int().describe('Payments that failed or came too late.'),
      meanMinutes: z
        .number()
        .nullable()
        .describe('From the first sight to the settlement; null when nothing was settled.'),
    }),
    underWay: z.array(payment).describe('Seen and not settled, the oldest first.'),
    lost: z.array(payment).describe('Failed or too late in the last 7 days, the newest first.'),
    overpaid: z.array(payment).describe('Settled with more than was asked for in the last 7 days, the newest first.'),
    projects: z
      .array(z.strictObject({ projectId: z.string().nullable(), payments: z.int(), amount: satoshi }))
      .describe('The ten projects with the most settled payments in the last 30 days.'),
    reorganisations: z.array(
      z.strictObject({ noticedAt: isoTime, forkHeight: z.int(), depth: z.int(), transactions: z.int() }),
    ),
  }),
};
