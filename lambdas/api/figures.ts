import type { ClientBase } from 'pg';

/** A span of time; `to` is not part of it. */
export interface Range {
  readonly from: Date;
  readonly to: Date;
}

export interface SubscriptionFigures {
  /** Subscriptions by Stripe's status, now. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Of those that run, such as end with their period. */
  readonly ending: number;
  readonly started: number;
  readonly ended: number;
}

export interface CurrencyFigures {
  readonly currency: string;
  /** Captured by charges that were made in the range, in the smallest unit. */
  readonly gross: number;
  /** Refunds that were recorded in the range, of whatever charge, less those that came back. */
  readonly refunded: number;
  readonly net: number;
  readonly charges: number;
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
 * The project of a charge: that of what it paid for, as entitlements have it, and else what the charge or its invoice names.
 */
const PROJECT_OF_CHARGE = `coalesce(
  (SELECT owner_project_id FROM billing.owned_purchases WHERE payment_intent_id = charge.payment_intent_id
   ORDER BY id LIMIT 1),
  (SELECT coalesce(subscription.owner_project_id, invoice.project_id)
   FROM billing.invoices AS invoice
   LEFT JOIN billing.owned_subscriptions AS subscription ON subscription.id = invoice.subscription_id
   WHERE invoice.payment_intent_id = charge.payment_intent_id
      OR invoice.id IN (SELECT invoice_id FROM billing.invoice_payments WHERE payment_intent_id = charge.payment_intent_id)
   ORDER BY invoice.id LIMIT 1),
  charge.project_id)`;

/** What a project took in, by currency: charges less refunds. */
export async function revenueFigures(
  client: ClientBase,
  projectId: string,
  { from, to }: Range,
): Promise<CurrencyFigures[]> {
  const { rows } = await client.query<{ currency: string; gross: string; refunded: string; charges: number }>(
    `WITH taken AS (
       SELECT charge.currency, coalesce(charge.amount_captured, charge.amount) AS gross, 0 AS refunded, 1 AS charges
       FROM billing.charges AS charge
       WHERE charge.status = 'succeeded' AND charge.created_at >= $2 AND charge.created_at < $3
         AND ${PROJECT_OF_CHARGE} = $1
       UNION ALL
       SELECT entry.currency, 0, entry.amount, 0
       FROM billing.refund_entries AS entry JOIN billing.charges AS charge ON charge.id = entry.charge_id
       WHERE entry.recorded_at >= $2 AND entry.recorded_at < $3 AND ${PROJECT_OF_CHARGE} = $1)
     SELECT currency, sum(gross)::text AS gross, sum(refunded)::text AS refunded, sum(charges)::int AS charges
     FROM taken GROUP BY currency ORDER BY currency`,
    [projectId, from, to],
  );
  return rows.map(({ currency, charges, ...sums }) => {
    const gross = exact(sums.gross);
    const refunded = exact(sums.refunded);
    return { currency, gross, refunded, net: gross - refunded, charges };
  });
}

/** Whether anything that is stored names the project. */
export async function isKnownProject(client: ClientBase, projectId: string): Promise<boolean> {
  const { rows } = await client.query<{ known: boolean }>(
    `SELECT EXISTS (SELECT FROM billing.subscriptions WHERE project_id = $1)
         OR EXISTS (SELECT FROM billing.purchases WHERE project_id = $1)
         OR EXISTS (SELECT FROM billing.entitlements WHERE project_id = $1) AS known`,
    [projectId],
  );
  return rows[0]?.known === true;
}

/** A sum of amounts. @throws RangeError beyond what a JSON number holds exactly */
function exact(sum: string): number {
  const number = Number(sum);
  if (!Number.isSafeInteger(number)) throw new RangeError('A sum of amounts is larger than a number holds exactly');
  return number;
}
