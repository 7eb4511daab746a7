import type { ClientBase } from 'pg';
import type { InspectionReport, InspectionRequest } from './contract';

type Payout = InspectionReport<'payouts'>['payouts'][number];

interface PayoutRow {
  readonly id: string;
  readonly account_id: string | null;
  readonly status: string;
  readonly amount: string;
  readonly currency: string;
  readonly arrives_at: Date | null;
  readonly created_at: Date;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly retry_of: string | null;
  readonly retried_by: string | null;
  readonly is_open: boolean;
  readonly is_late: boolean;
}

/** Payouts of all accounts, the newest first, and the accounts that are restricted. */
export async function listPayouts(
  client: ClientBase,
  { status, account, id, open, limit }: InspectionRequest<'payouts'>,
  now: Date,
): Promise<InspectionReport<'payouts'>> {
  const { rows } = await client.query<PayoutRow>(
    `SELECT payout.id, account_id, status, amount, currency, arrives_at, created_at, failure_code, failure_message, retry_of,
       (SELECT retry.id FROM billing.payouts AS retry WHERE retry.retry_of = payout.id
        ORDER BY retry.created_at DESC LIMIT 1) AS retried_by,
       EXISTS (SELECT FROM billing.open_payout_failures AS failure WHERE failure.id = payout.id) AS is_open,
       status IN ('pending', 'in_transit') AND coalesce(arrives_at < $5, false) AS is_late
     FROM billing.payouts AS payout
     WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR coalesce(account_id, '') = $2)
       AND ($3::text IS NULL OR payout.id = $3)
       AND (NOT $6 OR (status IN ('pending', 'in_transit') AND arrives_at < $5)
         OR payout.id IN (SELECT failure.id FROM billing.open_payout_failures AS failure))
     ORDER BY created_at DESC, payout.id LIMIT $4`,
    [status ?? null, account ?? null, id ?? null, limit, now, open],
  );
  const { rows: restricted } = await client.query<{
    id: string;
    cause: string | null;
    requirements_due: string[];
    total: number;
  }>(
    `SELECT id, coalesce(restriction, disabled_reason) AS cause, requirements_due, count(*) OVER ()::int AS total
     FROM billing.connect_accounts WHERE restricted ORDER BY id LIMIT $1`,
    [limit],
  );
  return {
    action: 'payouts',
    payouts: rows.map(describePayout),
    restrictedAccounts: restricted.map(({ id: accountId, cause, requirements_due: due }) => ({
      id: accountId,
      cause,
      requirementsDue: due,
    })),
    restrictedTotal: restricted[0]?.total ?? 0,
    totals: await readTotals(client, now),
  };
}

async function readTotals(client: ClientBase, now: Date): Promise<InspectionReport<'payouts'>['totals']> {
  const { rows } = await client.query<InspectionReport<'payouts'>['totals']>(
    `SELECT count(*)::int AS "underWay", count(*) FILTER (WHERE arrives_at < $1)::int AS late,
       (SELECT count(*)::int FROM billing.open_payout_failures) AS failed,
       (SELECT count(*)::int FROM billing.payouts
        WHERE status = 'paid' AND created_at >= $1::timestamptz - interval '1 day') AS paid
     FROM billing.payouts WHERE status IN ('pending', 'in_transit')`,
    [now],
  );
  return rows[0] ?? { underWay: 0, late: 0, failed: 0, paid: 0 };
}

function describePayout(row: PayoutRow): Payout {
  return {
    id: row.id,
    account: row.account_id,
    status: row.status,
    amount: row.amount,
    currency: row.currency,
    createdAt: row.created_at.toISOString(),
    arrivesAt: row.arrives_at?.toISOString() ?? null,
    isLate: row.is_late,
    failureCode: row.failure_code,
    failureMessage: row.failure_message,
    isOpen: row.is_open,
    retryOf: row.retry_of,
    retriedBy: row.retried_by,
  };
}
