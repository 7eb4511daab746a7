import type { ClientBase } from 'pg';

/** What was paid for, or is tried out, and belongs to no user. */
export interface UnownedSource {
  readonly id: string;
  readonly source: 'subscription' | 'purchase';
  readonly customerId: string | null;
  readonly createdAt: Date;
  /** What the rules would grant its user; none when no rule is about it. */
  readonly features: readonly string[];
}

/**
 * Without an owner, an object may be of any project: rules of every project count. The predicates on `user_id` repeat what
 * the views say, for the indexes of what has no user of its own.
 */
const UNOWNED = `
  SELECT id, 'subscription' AS source, customer_id, created_at, ARRAY(
           SELECT DISTINCT granted.feature
           FROM billing.subscription_items AS item
           JOIN billing.entitlement_rules AS rule
             ON rule.source = 'subscription' AND (rule.price_id = item.price_id OR rule.product_id = item.product_id)
           CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
           WHERE item.subscription_id = subscription.id AND coalesce(item.quantity, 1) > 0
             AND (rule.app_id = owner_app_id) IS NOT FALSE AND (rule.project_id = owner_project_id) IS NOT FALSE
           ORDER BY granted.feature) AS features
  FROM billing.owned_subscriptions AS subscription
  WHERE user_id IS NULL AND owner_user_id IS NULL AND status IN ('active', 'trialing', 'past_due')
  UNION ALL
  SELECT id, 'purchase', customer_id, created_at, ARRAY(
           SELECT DISTINCT replace(granted.feature, '{item_id}', coalesce(purchase.item_id, ''))
           FROM billing.entitlement_rules AS rule
           CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
           WHERE rule.source = 'purchase' AND rule.purchase_kind = purchase.kind
             AND (rule.item_id IS NULL OR rule.item_id = purchase.item_id)
             AND (purchase.item_id IS NOT NULL OR strpos(granted.feature, '{item_id}') = 0)
             AND (rule.app_id = owner_app_id) IS NOT FALSE AND (rule.project_id = owner_project_id) IS NOT FALSE
           ORDER BY 1)
  FROM billing.owned_purchases AS purchase
  WHERE user_id IS NULL AND owner_user_id IS NULL AND mode = 'payment' AND coalesce(status, 'complete') = 'complete'
    AND (payment_status IN ('paid', 'no_payment_required') OR EXISTS (
      SELECT FROM billing.charges AS captured
      WHERE captured.payment_intent_id = purchase.payment_intent_id AND captured.status = 'succeeded'
        AND coalesce(captured.amount_captured, captured.amount) > 0))
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge
      JOIN billing.refund_balances AS refunds ON refunds.charge_id = charge.id
      WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded' AND charge.amount > 0
        AND refunds.balance >= coalesce(nullif(charge.amount_captured, 0), charge.amount))`;

/**
 * Subscriptions that run and purchases that are paid and not refunded, of which nothing says to which user they belong; by
 * their ids.
 *
 * @param after id of the last one of the page before. @default from the first
 */
export async function unownedSources(
  client: ClientBase,
  { after = '', limit }: { readonly after?: string | undefined; readonly limit: number },
): Promise<UnownedSource[]> {
  const { rows } = await client.query<{
    id: string;
    source: UnownedSource['source'];
    customer_id: string | null;
    created_at: Date;
    features: string[];
  }>(`SELECT * FROM (${UNOWNED}) AS unowned WHERE id > $1 ORDER BY id LIMIT $2`, [after, limit]);
  return rows.map(({ customer_id: customerId, created_at: createdAt, ...row }) => ({ ...row, customerId, createdAt }));
}

/**
 * Those of which a rule would grant something: somebody paid and gets nothing.
 *
 * @param limit ids to return at most; all are counted
 */
export async function unservedSources(
  client: ClientBase,
  limit: number,
): Promise<{ readonly count: number; readonly ids: readonly string[] }> {
  const { rows } = await client.query<{ count: number; ids: string[] }>(
    `SELECT count(*)::int AS count, coalesce((array_agg(id ORDER BY created_at DESC, id))[:$1], '{}') AS ids
     FROM (${UNOWNED}) AS unowned WHERE cardinality(features) > 0`,
    [limit],
  );
  return rows[0] ?? { count: 0, ids: [] };
}
