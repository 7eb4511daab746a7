import type { ClientBase } from 'pg';
import type { CurrencyFigures, SubscriptionFigures } from './contract';

const DAY_MS = 86_400_000;
/** Longest range. Longer takes more than the 10 s that a request has in a large database. */
export const MAX_RANGE_DAYS = 366;
/** Length of a range without a beginning. */
export const DEFAULT_RANGE_DAYS = 30;

/** A span of time; `to` is not part of it. */
export interface Range {
  readonly from: Date;
  readonly to: Date;
}

/**
 * The range that was asked for, with what was left out: to now, from 30 days before its end.
 *
 * @returns what `from` should be instead, where that is no such range
 */
export function rangeOf(
  asked: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: Date,
): Range | { readonly problemOfFrom: string } {
  const to = asked.to === undefined ? now : new Date(asked.to);
  const from = asked.from === undefined ? new Date(to.getTime() - DEFAULT_RANGE_DAYS * DAY_MS) : new Date(asked.from);
  if (from >= to) return { problemOfFrom: 'expected a moment before `to`' };
  if (to.getTime() - from.getTime() > MAX_RANGE_DAYS * DAY_MS) {
    return { problemOfFrom: `expected a range of at most ${MAX_RANGE_DAYS} days` };
  }
  return { from, to };
}

/** How many subscriptions of a project there are, started and ended. */
export async function subscriptionFigures(
  client: ClientBase,
  projectId: string,
  { from, to }: Range,
): Promise<SubscriptionFigures> {
  const { rows } = await client.query<{ status: string; now: number; ending: number; started: number; ended: number }>(
    `SELECT status, count(*)::int AS now,
       count(*) FILTER (WHERE cancel_at_period_end AND status IN ('active', 'trialing', 'past_due'))::int AS ending,
       count(*) FILTER (WHERE created_at >= $2 AND created_at < $3)::int AS started,
       count(*) FILTER (WHERE ended_at >= $2 AND ended_at < $3)::int AS ended
     FROM billing.owned_subscriptions WHERE owner_project_id = $1 GROUP BY status ORDER BY status`,
    [projectId, from, to],
  );
  const sum = (count: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + count(row), 0);
  return {
    byStatus: Object.fromEntries(rows.map((row) => [row.status, row.now])),
    ending: sum((row) => row.ending),
    started: sum((row) => row.started),
    ended: sum((row) => row.ended),
  };
}

/**
 * A charge is of the project of what it paid for, as entitlements have it, and else of what it or its invoice names. Joins,
 * not a look-up for each charge: PostgreSQL then picks by how many charges there are. The two ways from a charge to its
 * invoice are apart because a condition with OR uses no index.
 */
const REVENUE = `
  WITH movement AS (
    SELECT id AS charge_id, payment_intent_id, project_id, currency,
           coalesce(amount_captured, amount) AS gross, 0 AS refunded, 1 AS charges
    FROM billing.charges
    WHERE status = 'succeeded' AND coalesce(amount_captured, amount) > 0 AND created_at >= $2 AND created_at < $3
    UNION ALL
    SELECT charge.id, charge.payment_intent_id, charge.project_id, entry.currency, 0, entry.amount, 0
    FROM billing.refund_entries AS entry JOIN billing.charges AS charge ON charge.id = entry.charge_id
    WHERE charge.status = 'succeeded' AND entry.recorded_at >= $2 AND entry.recorded_at < $3
  ), purchased AS (
    SELECT DISTINCT ON (charge_id) charge_id, owner_project_id
    FROM movement JOIN billing.owned_purchases AS purchase USING (payment_intent_id)
    ORDER BY charge_id, purchase.id
  ), invoiced AS (
    SELECT DISTINCT ON (charge_id) charge_id, subscription_id, project_id
    FROM (
      SELECT charge_id, invoice.id, invoice.subscription_id, invoice.project_id
      FROM movement JOIN billing.invoices AS invoice USING (payment_intent_id)
      UNION ALL
      SELECT charge_id, invoice.id, invoice.subscription_id, invoice.project_id
      FROM movement JOIN billing.invoice_payments AS payment USING (payment_intent_id)
      JOIN billing.invoices AS invoice ON invoice.id = payment.invoice_id
    ) AS paid
    ORDER BY charge_id, id
  )
  SELECT movement.currency, sum(gross)::text AS gross, sum(refunded)::text AS refunded, sum(charges)::int AS charges
  FROM movement
  LEFT JOIN purchased USING (charge_id)
  LEFT JOIN invoiced USING (charge_id)
  LEFT JOIN billing.owned_subscriptions AS subscription ON subscription.id = invoiced.subscription_id
  WHERE coalesce(purchased.owner_project_id, subscription.owner_project_id, invoiced.project_id, movement.project_id) = $1
  GROUP BY movement.currency
  UNION ALL
  -- Of each payment its price: what was paid beyond that is the customer's. Nobody refunds by the chain.
  SELECT 'btc', sum(payment.amount)::text, '0', count(*)::int
  FROM billing.bitcoin_payments AS payment JOIN billing.owned_purchases AS purchase ON purchase.id = payment.id
  WHERE payment.settled_at >= $2 AND payment.settled_at < $3 AND purchase.owner_project_id = $1
  HAVING count(*) > 0
  ORDER BY currency`;

/** What a project took in, by currency: charges less refunds, and payments in bitcoin that were settled in the range. */
export async function revenueFigures(
  client: ClientBase,
  projectId: string,
  { from, to }: Range,
): Promise<CurrencyFigures[]> {
  const { rows } = await client.query<{ currency: string; gross: string; refunded: string; charges: number }>(REVENUE, [
    projectId,
    from,
    to,
  ]);
  return rows.map(({ currency, charges, ...sums }) => {
    const gross = exact(sums.gross);
    const refunded = exact(sums.refunded);
    return { currency, gross, refunded, net: gross - refunded, charges };
  });
}

/** A sum of amounts. @throws RangeError beyond what a JSON number holds exactly */
function exact(sum: string): number {
  const number = Number(sum);
  if (!Number.isSafeInteger(number)) throw new RangeError('A sum of amounts is larger than a number holds exactly');
  return number;
}
