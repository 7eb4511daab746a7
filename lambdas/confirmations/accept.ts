import type { Statement } from '../../core/database/transaction';
import type { BitcoinStatus } from '../../core/providers/bitcoin/contract';
import { InvalidRequestError } from '../../core/runtime/errors';
import { readCursor } from './chain';
import type { Acceptance, ConfirmationsReport } from './contract';
import { reviewPayments } from './review';
import { inStep, type ConfirmationsRun } from './run';

/** Statuses that an operator can accept. */
const ACCEPTABLE: readonly BitcoinStatus[] = ['late', 'underpaid', 'failed'];

interface PaymentRow {
  readonly id: string;
  readonly status: BitcoinStatus;
  readonly asked: string;
  readonly received: string;
}

const READ_PAYMENT: Statement = {
  name: 'read_accepted_bitcoin_payment',
  text: 'SELECT id, status, coalesce(asked_amount, amount) AS asked, received FROM billing.bitcoin_payments WHERE id = $1 FOR UPDATE',
};

/** What has arrived by now is in time and enough; what was asked for stays on record. */
const ACCEPT: Statement = {
  name: 'accept_bitcoin_payment',
  text: `
UPDATE billing.bitcoin_payments
SET asked_amount = coalesce(asked_amount, amount), amount = least(amount, received), expires_at = greatest(expires_at, $2::timestamptz),
    accepted_at = $2, accepted_by = $3, accepted_reason = $4
WHERE id = $1 RETURNING id`,
};

type Accepted = NonNullable<ConfirmationsReport['accepted']>;

/**
 * Takes what has arrived for a payment as all of it: late, or less than was asked for. It is settled by its confirmations, as any
 * other, and counts with what has arrived.
 *
 * @throws InvalidRequestError when there is no such payment, nothing has arrived for it, more or less than was confirmed has, or it
 * needs no acceptance
 */
export async function acceptPayment(
  run: ConfirmationsRun,
  { payment, reason, by, received }: Acceptance,
  dryRun: boolean,
): Promise<Accepted> {
  const cursor = await readCursor(run);
  const { accepted } = await inStep(run, async (statement) => {
    const [row] = await statement<PaymentRow>(READ_PAYMENT, [payment]);
    if (row === undefined) throw new InvalidRequestError(`payment: there is no payment ${payment}`);
    if (!ACCEPTABLE.includes(row.status)) {
      throw new InvalidRequestError(
        `payment: ${payment} is ${row.status}; only ${ACCEPTABLE.join(', ')} can be accepted`,
      );
    }
    if (Number(row.received) === 0) throw new InvalidRequestError(`payment: nothing has arrived for ${payment}`);
    const found = { payment, before: row.status, asked: row.asked, received: row.received };
    if (dryRun) return { changes: [], entitlements: [], accepted: { ...found, status: row.status } };
    if (received === undefined) throw new InvalidRequestError('received: expected what a dry run answered');
    if (row.received !== received) {
      throw new InvalidRequestError(
        `received: ${row.received} satoshi have arrived for ${payment} by now, not ${received}; look at it again, and confirm that`,
      );
    }
    const now = run.clock();
    await statement(ACCEPT, [payment, now, by, reason]);
    const reviewed = await reviewPayments(statement, [payment], { tip: cursor?.height ?? 0, now });
    const status = reviewed.changes[0]?.to ?? row.status;
    return { ...reviewed, accepted: { ...found, status } };
  });
  return accepted;
}
