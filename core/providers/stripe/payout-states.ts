import type { StateOf } from '../../billing/object-state';
import { rankOf, versionKey, type StateOrigin } from '../../billing/version';
import { dateOf, readObject } from './read-object';
import { payoutShape, transferShape } from './shapes';

/** Key of a payout's metadata by which a repeated payout names the failed one. */
export const RETRY_OF = 'billing_retry_of';

/** What can only grow: a payout that was reported as paid may still be returned by the bank, for five business days. */
const PAYOUT_PROGRESS: Readonly<Record<string, number>> = { paid: 1, failed: 2, canceled: 2 };
/** The usual order within one second; see version.ts. */
const PAYOUT_RANK = ['pending', 'in_transit'];

/**
 * @param account the connected account that is paid out; null for the platform's own
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function payoutState(object: unknown, account: string | null, origin: StateOrigin): StateOf<'payout'> {
  const payout = readObject(payoutShape, object, 'payout');
  const { status } = payout;
  return {
    kind: 'payout',
    row: {
      id: payout.id,
      account_id: account,
      status,
      amount: payout.amount,
      currency: payout.currency,
      method: payout.method ?? null,
      automatic: payout.automatic ?? null,
      arrives_at: dateOf(payout.arrival_date),
      failure_code: payout.failure_code ?? null,
      failure_message: payout.failure_message ?? null,
      retry_of: payout.metadata?.[RETRY_OF] ?? null,
      created_at: dateOf(payout.created),
      version: versionKey({
        progress: PAYOUT_PROGRESS[status] ?? 0,
        rank: rankOf(PAYOUT_RANK, status, origin),
        ...origin,
      }),
      raw: object,
    },
  };
}

/**
 * Money that went from the platform to a connected account.
 *
 * @throws InvalidRequestError naming the fields that are not as Stripe documents them
 */
export function transferState(object: unknown, origin: StateOrigin): StateOf<'transfer'> {
  const transfer = readObject(transferShape, object, 'transfer');
  const reversed = transfer.amount_reversed ?? 0;
  return {
    kind: 'transfer',
    row: {
      id: transfer.id,
      account_id: transfer.destination ?? null,
      charge_id: transfer.source_transaction ?? null,
      amount: transfer.amount,
      amount_reversed: reversed,
      currency: transfer.currency,
      created_at: dateOf(transfer.created),
      // What was taken back is not given again.
      version: versionKey({ progress: reversed, rank: 0, ...origin }),
      raw: object,
    },
  };
}
