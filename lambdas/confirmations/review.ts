import type { RunStatement, Statement } from '../../core/database/transaction';
import { recomputeEntitlements, type EntitlementChange } from '../../core/entitlements/recompute';
import { assess, type Assessment, type PayingTransaction } from '../../core/providers/bitcoin/assess';
import type { BitcoinStatus } from '../../core/providers/bitcoin/contract';

/** Payments that are computed again at a time: what bounds the memory, however many there are. */
export const PAGE_SIZE = 500;

/** A payment whose status changed. */
export interface StatusChange {
  readonly id: string;
  readonly from: BitcoinStatus;
  readonly to: BitcoinStatus;
}

export interface Reviewed {
  readonly changes: readonly StatusChange[];
  readonly entitlements: readonly EntitlementChange[];
}

interface PaymentRow {
  readonly id: string;
  /** A bigint, which the driver returns as text; below 2^53. */
  readonly amount: string;
  readonly confirmations: number;
  readonly expires_at: Date;
  readonly status: BitcoinStatus;
  readonly received: string;
  readonly in_blocks: string;
  readonly review_height: number | null;
  readonly transactions: readonly {
    readonly amount: number;
    readonly state: PayingTransaction['state'];
    readonly height: number | null;
    readonly at: number;
  }[];
}

const READ_PAYMENTS: Statement = {
  name: 'read_bitcoin_payments',
  text: `
SELECT id, amount, confirmations, expires_at, status, received, in_blocks, review_height, coalesce((
    SELECT jsonb_agg(jsonb_build_object('amount', paying.amount, 'state', paying.state, 'height', paying.block_height,
      'at', extract(epoch FROM paying.arrived_at)))
    FROM billing.bitcoin_transactions AS paying WHERE paying.payment_id = payment.id), '[]') AS transactions
FROM billing.bitcoin_payments AS payment WHERE id = ANY ($1::text[])`,
};

const STORE_ASSESSMENTS: Statement = {
  name: 'store_bitcoin_assessments',
  text: `
UPDATE billing.bitcoin_payments AS payment
SET status = found.status, received = found.received, in_blocks = found.in_blocks, review_height = found.review_height,
    first_seen_at = coalesce(payment.first_seen_at, CASE WHEN found.received > 0 THEN $6::timestamptz END),
    settled_at = CASE WHEN found.status = 'settled' THEN coalesce(payment.settled_at, $6) END,
    status_changed_at = CASE WHEN payment.status = found.status THEN payment.status_changed_at ELSE $6 END
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::int[])
  AS found (id, status, received, in_blocks, review_height)
WHERE payment.id = found.id`,
};

const STORE_CHANGES: Statement = {
  name: 'store_bitcoin_changes',
  text: `
INSERT INTO billing.bitcoin_status_changes (payment_id, changed_at, height, old_status, new_status)
SELECT id, $4::timestamptz, $5::int, old_status, new_status FROM unnest($1::text[], $2::text[], $3::text[]) AS changed (id, old_status, new_status)`,
};

/**
 * A settled payment is a purchase. One that is not settled any more stays one, which is unpaid. $1: payments, $2: `paid` or
 * `unpaid`. Its amount is what was accepted, where an operator accepted another. Nothing compares its version: no provider has events of it.
 */
const STORE_PURCHASES: Statement = {
  name: 'store_bitcoin_purchases',
  text: `
INSERT INTO billing.purchases
  (id, app_id, project_id, user_id, kind, item_id, mode, status, payment_status, amount_total, currency, created_at, version, raw)
SELECT id, app_id, project_id, user_id, kind, item_id, 'payment', 'complete', $2::text, amount, 'btc', created_at, 'bitcoin',
       jsonb_build_object('object', 'bitcoin_payment', 'network', network, 'address', address, 'metadata', metadata)
FROM billing.bitcoin_payments WHERE id = ANY ($1::text[])
ON CONFLICT (id) DO UPDATE SET payment_status = excluded.payment_status, amount_total = excluded.amount_total`,
};

/**
 * Computes again what payments are, and what they grant, in the transaction that recorded what is known of them.
 *
 * @param tip height of the chain
 */
export async function reviewPayments(
  run: RunStatement,
  ids: Iterable<string>,
  { tip, now }: { readonly tip: number; readonly now: Date },
): Promise<Reviewed> {
  const wanted = [...new Set(ids)].toSorted();
  const changes: StatusChange[] = [];
  const entitlements: EntitlementChange[] = [];
  for (let start = 0; start < wanted.length; start += PAGE_SIZE) {
    const page = await reviewPage(run, wanted.slice(start, start + PAGE_SIZE), tip, now);
    changes.push(...page.changes);
    entitlements.push(...page.entitlements);
  }
  return { changes, entitlements };
}

async function reviewPage(run: RunStatement, ids: readonly string[], tip: number, now: Date): Promise<Reviewed> {
  const rows = await run<PaymentRow>(READ_PAYMENTS, [ids]);
  const reviewed = rows.map((row) => ({ row, found: assessRow(row, tip, now) }));
  const unlike = reviewed.filter(({ row, found }) => isUnlike(row, found));
  if (unlike.length > 0) {
    await run(STORE_ASSESSMENTS, [
      unlike.map(({ row }) => row.id),
      unlike.map(({ found }) => found.status),
      unlike.map(({ found }) => found.received),
      unlike.map(({ found }) => found.inBlocks),
      unlike.map(({ found }) => found.reviewHeight),
      now,
    ]);
  }
  const changes = unlike
    .map(({ row, found }): StatusChange => ({ id: row.id, from: row.status, to: found.status }))
    .filter(({ from, to }) => from !== to);
  if (changes.length === 0) return { changes, entitlements: [] };
  await run(STORE_CHANGES, [
    changes.map(({ id }) => id),
    changes.map(({ from }) => from),
    changes.map(({ to }) => to),
    now,
    tip,
  ]);
  return { changes, entitlements: await grant(run, changes) };
}

function assessRow(row: PaymentRow, tip: number, now: Date): Assessment {
  const payment = { amount: Number(row.amount), confirmations: row.confirmations, expiresAt: row.expires_at };
  const transactions = row.transactions.map(({ at, ...each }) => ({ ...each, arrivedAt: new Date(at * 1000) }));
  return assess(payment, transactions, tip, now);
}

function isUnlike(row: PaymentRow, { status, received, inBlocks, reviewHeight }: Assessment): boolean {
  return (
    row.status !== status ||
    Number(row.received) !== received ||
    Number(row.in_blocks) !== inBlocks ||
    row.review_height !== reviewHeight
  );
}

/** Gives and takes what payments grant that became settled, or are not any more. */
async function grant(run: RunStatement, changes: readonly StatusChange[]): Promise<EntitlementChange[]> {
  const paid = changes.filter(({ to }) => to === 'settled').map(({ id }) => id);
  const unpaid = changes.filter(({ from }) => from === 'settled').map(({ id }) => id);
  if (paid.length > 0) await run(STORE_PURCHASES, [paid, 'paid']);
  if (unpaid.length > 0) await run(STORE_PURCHASES, [unpaid, 'unpaid']);
  const ids = [...paid, ...unpaid];
  return ids.length === 0 ? [] : recomputeEntitlements(run, { sources: ids, payments: ids, turns: ids });
}
