-- Up Migration
-- The view grants what it granted, for less: PostgreSQL prepared every expression of a subscription's grants three to six times
-- for each statement, which took more of a single event's time than finding its rows. `OFFSET 0` makes it compute them once, and
-- what few statuses need is now in functions that the others do not call. The functions hold what the view said before. The
-- view is replaced at once; queries of it wait for each other that long, and code from before works on.

-- Prices that the items of a subscription had before: they were paid, whatever becomes of the change to another. STRICT keeps
-- PostgreSQL from making the query a part of the one that calls it.
CREATE FUNCTION billing.former_prices(subscription text)
RETURNS TABLE (item_id text, price_id text, product_id text)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 AS $$
  SELECT DISTINCT item.id, line.price_id, line.product_id
  FROM billing.subscription_items AS item
  JOIN billing.invoices AS invoice ON invoice.subscription_id = item.subscription_id AND invoice.status = 'paid'
  CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
  WHERE item.subscription_id = $1 AND coalesce(item.quantity, 1) > 0
    AND line.item_id = item.id AND line.price_id <> item.price_id
$$;

-- Until when an item of a subscription that is `past_due` may be used.
CREATE FUNCTION billing.past_due_until(
  subscription text, item text, price text, on_dispute text, is_current boolean,
  period_start timestamptz, period_end timestamptz, grace interval)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN NOT $5 THEN coalesce(paid.until, '-infinity')
    WHEN debt.since IS NOT NULL THEN greatest(paid.until, debt.since + $8)
    WHEN paid.until IS NOT NULL THEN paid.until + $8
    WHEN EXISTS (SELECT FROM billing.invoices AS known
                 WHERE known.subscription_id = $1 AND billing.has_lines(known.raw)) THEN '-infinity'
    -- Nothing is known of its invoices. Stripe begins a period, then fails to collect for it; an invoice that is
    -- sent is due some days after the period's start.
    ELSE coalesce($6, owing.created_at) + $8
      + CASE WHEN owing.collection_method = 'send_invoice'
          THEN make_interval(hours => 24 * coalesce(owing.days_until_due, 0)) ELSE interval '0' END
    END
  FROM billing.subscriptions AS owing
  CROSS JOIN (SELECT billing.owed_since($1, $2, $3) AS since) AS debt
  CROSS JOIN (SELECT billing.covered_until($1, $2, $3, $4, $6, $7) AS until) AS paid
  WHERE owing.id = $1
$$;

-- Whether a dispute took back the payment of the period in which an item is.
CREATE FUNCTION billing.was_taken_back(
  subscription text, item text, price text, on_dispute text, period_start timestamptz, period_end timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT FROM billing.invoices AS invoice
    LEFT JOIN LATERAL billing.invoice_lines(invoice.raw) AS line ON true
    WHERE invoice.subscription_id = $1 AND invoice.status = 'paid'
      AND (line.amount >= 0 AND coalesce(line.item_id, $2) = $2 AND line.price_id = $3 AND line.period_end >= $6
        OR NOT billing.has_lines(invoice.raw) AND invoice.created_at >= $5)
      AND invoice.id IN (SELECT billing.disputed_invoices($1, $4)))
$$;

CREATE OR REPLACE VIEW billing.entitlement_grants AS
SELECT user_id,
       project_id,
       feature,
       source,
       source_id,
       valid_from,
       -- Two items of a subscription may grant the same feature: the longer one counts, and null is the longest.
       nullif(max(coalesce(valid_until, 'infinity')), 'infinity') AS valid_until
FROM (
  SELECT owner.user_id,
         coalesce(owner.project_id, '') AS project_id,
         granted.feature,
         'subscription' AS source,
         subscription.id AS source_id,
         subscription.created_at AS valid_from,
         access.valid_until
  FROM billing.owned_subscriptions AS subscription
  CROSS JOIN LATERAL (
    SELECT subscription.owner_user_id AS user_id, subscription.owner_project_id AS project_id,
           subscription.owner_app_id AS app_id
    OFFSET 0
  ) AS owner
  CROSS JOIN LATERAL (
    SELECT item.id AS item_id, item.price_id, item.product_id, true AS is_current,
           item.current_period_start AS period_start, item.current_period_end AS period_end
    FROM billing.subscription_items AS item
    WHERE item.subscription_id = subscription.id AND coalesce(item.quantity, 1) > 0
    UNION ALL
    SELECT former.item_id, former.price_id, former.product_id, false, NULL::timestamptz, NULL::timestamptz
    FROM billing.former_prices(subscription.id) AS former
    WHERE subscription.status IN ('past_due', 'unpaid') OR subscription.pause_behavior IS NOT NULL
  ) AS sold
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'subscription' AND (rule.price_id = sold.price_id OR rule.product_id = sold.product_id)
  CROSS JOIN LATERAL (
    SELECT CASE WHEN subscription.collection_method = 'send_invoice'
      THEN coalesce(rule.grace_send_invoice, rule.grace) ELSE rule.grace END AS period
  ) AS grace
  CROSS JOIN LATERAL (
    -- The earliest of these ends it; those that are null do not.
    SELECT least(CASE
      WHEN subscription.status = 'unpaid' THEN
        coalesce(
          billing.covered_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute,
                                sold.period_start, sold.period_end),
          '-infinity')
      WHEN subscription.status = 'past_due' THEN
        billing.past_due_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute, sold.is_current,
                               sold.period_start, sold.period_end, grace.period)
      -- The periods of a pause are not paid: they are voided, or given up.
      WHEN subscription.status = 'active' AND subscription.pause_behavior IS NOT NULL
          AND coalesce(rule.while_paused = 'paid', subscription.pause_behavior <> 'keep_as_draft') THEN
        coalesce(
          billing.covered_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute,
                                sold.period_start, sold.period_end),
          '-infinity')
      WHEN NOT sold.is_current THEN '-infinity'
      WHEN EXISTS (SELECT FROM billing.disputed_subscriptions AS disputed
                   WHERE disputed.subscription_id = subscription.id)
        AND billing.was_taken_back(subscription.id, sold.item_id, sold.price_id, rule.on_dispute,
                                   sold.period_start, sold.period_end)
        THEN '-infinity'
      -- A trial has paid for nothing, so nothing outlives it.
      WHEN subscription.status = 'trialing' THEN coalesce(subscription.trial_end, sold.period_end, 'infinity')
      -- The news that it was renewed comes an hour after the period's end, or later.
      WHEN subscription.status = 'active' THEN coalesce(sold.period_end + grace.period, 'infinity')
      WHEN subscription.status = 'canceled' THEN
        coalesce(subscription.ended_at, subscription.canceled_at, subscription.created_at)
      -- `incomplete` (the first payment is missing) and `paused` (a trial that ended without a payment method).
      ELSE '-infinity'
    END::timestamptz,
    CASE WHEN subscription.cancel_at_period_end THEN subscription.current_period_end END,
    subscription.cancel_at,
    subscription.ended_at) AS valid_until
    OFFSET 0
  ) AS access
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  WHERE owner.user_id IS NOT NULL
    AND (rule.app_id IS NULL OR rule.app_id = owner.app_id)
    AND (rule.project_id IS NULL OR rule.project_id = owner.project_id)
  UNION ALL
  SELECT purchase.owner_user_id,
         coalesce(purchase.owner_project_id, ''),
         replace(granted.feature, '{item_id}', coalesce(purchase.item_id, '')),
         'purchase',
         purchase.id,
         purchase.created_at,
         NULL
  FROM billing.owned_purchases AS purchase
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'purchase' AND rule.purchase_kind = purchase.kind
      AND (rule.item_id IS NULL OR rule.item_id = purchase.item_id)
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  WHERE purchase.owner_user_id IS NOT NULL
    -- A checkout that starts a subscription grants nothing by itself: the subscription does.
    AND purchase.mode = 'payment'
    AND coalesce(purchase.status, 'complete') = 'complete'
    -- An authorised amount is paid once it is captured; the session does not say so.
    AND (purchase.payment_status IN ('paid', 'no_payment_required') OR EXISTS (
      SELECT FROM billing.charges AS captured
      WHERE captured.payment_intent_id = purchase.payment_intent_id AND captured.status = 'succeeded'
        AND coalesce(captured.amount_captured, captured.amount) > 0))
    AND (purchase.item_id IS NOT NULL OR strpos(granted.feature, '{item_id}') = 0)
    AND (rule.app_id IS NULL OR rule.app_id = purchase.owner_app_id)
    AND (rule.project_id IS NULL OR rule.project_id = purchase.owner_project_id)
    -- A partial refund is a discount after the fact and takes nothing away. A refund that failed gives it back.
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge
      WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded' AND charge.amount > 0
        AND coalesce(nullif(charge.amount_captured, 0), charge.amount) <= (
          SELECT refunds.balance FROM billing.refund_balances AS refunds WHERE refunds.charge_id = charge.id))
    -- Nothing is known of the charge yet: what the session cost was given back.
    AND NOT (purchase.amount_total > 0
      AND purchase.amount_total <= (
        SELECT coalesce(sum(refund.amount), 0) FROM billing.refunds AS refund
        WHERE refund.payment_intent_id = purchase.payment_intent_id AND refund.status NOT IN ('failed', 'canceled'))
      AND NOT EXISTS (
        SELECT FROM billing.charges AS charge
        WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded'))
    AND NOT EXISTS (
      SELECT FROM billing.disputes AS dispute
      WHERE dispute.payment_intent_id = purchase.payment_intent_id
        AND billing.takes_access(dispute.status, rule.on_dispute))
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge JOIN billing.disputes AS dispute ON dispute.charge_id = charge.id
      WHERE charge.payment_intent_id = purchase.payment_intent_id
        AND billing.takes_access(dispute.status, rule.on_dispute))
) AS granted
WHERE valid_until IS NULL OR valid_until > valid_from
GROUP BY user_id, project_id, feature, source, source_id, valid_from;

-- Down Migration
CREATE OR REPLACE VIEW billing.entitlement_grants AS
SELECT user_id,
       project_id,
       feature,
       source,
       source_id,
       valid_from,
       -- Two items of a subscription may grant the same feature: the longer one counts, and null is the longest.
       nullif(max(coalesce(valid_until, 'infinity')), 'infinity') AS valid_until
FROM (
  SELECT subscription.owner_user_id AS user_id,
         coalesce(subscription.owner_project_id, '') AS project_id,
         granted.feature,
         'subscription' AS source,
         subscription.id AS source_id,
         subscription.created_at AS valid_from,
         -- The earliest of these ends it; those that are null do not.
         least(
           access.until,
           CASE WHEN subscription.cancel_at_period_end THEN subscription.current_period_end END,
           subscription.cancel_at,
           subscription.ended_at
         ) AS valid_until
  FROM billing.owned_subscriptions AS subscription
  CROSS JOIN LATERAL (
    SELECT item.id AS item_id, item.price_id, item.product_id, true AS is_current,
           item.current_period_start AS period_start, item.current_period_end AS period_end
    FROM billing.subscription_items AS item
    WHERE item.subscription_id = subscription.id AND coalesce(item.quantity, 1) > 0
    UNION ALL
    -- The price that an item had before: it was paid, whatever becomes of the change to another.
    SELECT DISTINCT item.id, line.price_id, line.product_id, false, NULL::timestamptz, NULL::timestamptz
    FROM billing.subscription_items AS item
    JOIN billing.invoices AS invoice ON invoice.subscription_id = item.subscription_id AND invoice.status = 'paid'
    CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
    WHERE (subscription.status IN ('past_due', 'unpaid') OR subscription.pause_behavior IS NOT NULL)
      AND item.subscription_id = subscription.id AND coalesce(item.quantity, 1) > 0
      AND line.item_id = item.id AND line.price_id <> item.price_id
  ) AS sold
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'subscription' AND (rule.price_id = sold.price_id OR rule.product_id = sold.product_id)
  CROSS JOIN LATERAL (
    SELECT CASE WHEN subscription.collection_method = 'send_invoice'
      THEN coalesce(rule.grace_send_invoice, rule.grace) ELSE rule.grace END AS period
  ) AS grace
  CROSS JOIN LATERAL (
    SELECT CASE
      WHEN subscription.status = 'unpaid' THEN
        coalesce(
          billing.covered_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute,
                                sold.period_start, sold.period_end),
          '-infinity')
      WHEN subscription.status = 'past_due' THEN (
        SELECT CASE
          WHEN NOT sold.is_current THEN coalesce(paid.until, '-infinity')
          WHEN debt.since IS NOT NULL THEN greatest(paid.until, debt.since + grace.period)
          WHEN paid.until IS NOT NULL THEN paid.until + grace.period
          WHEN EXISTS (SELECT FROM billing.invoices AS known
                       WHERE known.subscription_id = subscription.id AND billing.has_lines(known.raw)) THEN '-infinity'
          -- Nothing is known of its invoices. Stripe begins a period, then fails to collect for it; an invoice that is
          -- sent is due some days after the period's start.
          ELSE coalesce(sold.period_start, subscription.created_at) + grace.period
            + CASE WHEN subscription.collection_method = 'send_invoice'
                THEN make_interval(hours => 24 * coalesce(subscription.days_until_due, 0)) ELSE interval '0' END
          END
        FROM (SELECT billing.owed_since(subscription.id, sold.item_id, sold.price_id) AS since) AS debt
        CROSS JOIN (
          SELECT billing.covered_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute,
                                       sold.period_start, sold.period_end) AS until
        ) AS paid)
      -- The periods of a pause are not paid: they are voided, or given up.
      WHEN subscription.status = 'active' AND subscription.pause_behavior IS NOT NULL
          AND coalesce(rule.while_paused = 'paid', subscription.pause_behavior <> 'keep_as_draft') THEN
        coalesce(
          billing.covered_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute,
                                sold.period_start, sold.period_end),
          '-infinity')
      WHEN NOT sold.is_current THEN '-infinity'
      WHEN EXISTS (SELECT FROM billing.disputed_subscriptions AS disputed
                   WHERE disputed.subscription_id = subscription.id)
        -- The payment of the present period was taken back.
        AND EXISTS (
          SELECT FROM billing.invoices AS invoice
          LEFT JOIN LATERAL billing.invoice_lines(invoice.raw) AS line ON true
          WHERE invoice.subscription_id = subscription.id AND invoice.status = 'paid'
            AND (line.amount >= 0 AND coalesce(line.item_id, sold.item_id) = sold.item_id
                AND line.price_id = sold.price_id AND line.period_end >= sold.period_end
              OR NOT billing.has_lines(invoice.raw) AND invoice.created_at >= sold.period_start)
            AND invoice.id IN (SELECT billing.disputed_invoices(subscription.id, rule.on_dispute)))
        THEN '-infinity'
      -- A trial has paid for nothing, so nothing outlives it.
      WHEN subscription.status = 'trialing' THEN coalesce(subscription.trial_end, sold.period_end, 'infinity')
      -- The news that it was renewed comes an hour after the period's end, or later.
      WHEN subscription.status = 'active' THEN coalesce(sold.period_end + grace.period, 'infinity')
      WHEN subscription.status = 'canceled' THEN
        coalesce(subscription.ended_at, subscription.canceled_at, subscription.created_at)
      -- `incomplete` (the first payment is missing) and `paused` (a trial that ended without a payment method).
      ELSE '-infinity'
    END::timestamptz AS until
  ) AS access
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  WHERE subscription.owner_user_id IS NOT NULL
    AND (rule.app_id IS NULL OR rule.app_id = subscription.owner_app_id)
    AND (rule.project_id IS NULL OR rule.project_id = subscription.owner_project_id)
  UNION ALL
  SELECT purchase.owner_user_id,
         coalesce(purchase.owner_project_id, ''),
         replace(granted.feature, '{item_id}', coalesce(purchase.item_id, '')),
         'purchase',
         purchase.id,
         purchase.created_at,
         NULL
  FROM billing.owned_purchases AS purchase
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'purchase' AND rule.purchase_kind = purchase.kind
      AND (rule.item_id IS NULL OR rule.item_id = purchase.item_id)
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  WHERE purchase.owner_user_id IS NOT NULL
    -- A checkout that starts a subscription grants nothing by itself: the subscription does.
    AND purchase.mode = 'payment'
    AND coalesce(purchase.status, 'complete') = 'complete'
    -- An authorised amount is paid once it is captured; the session does not say so.
    AND (purchase.payment_status IN ('paid', 'no_payment_required') OR EXISTS (
      SELECT FROM billing.charges AS captured
      WHERE captured.payment_intent_id = purchase.payment_intent_id AND captured.status = 'succeeded'
        AND coalesce(captured.amount_captured, captured.amount) > 0))
    AND (purchase.item_id IS NOT NULL OR strpos(granted.feature, '{item_id}') = 0)
    AND (rule.app_id IS NULL OR rule.app_id = purchase.owner_app_id)
    AND (rule.project_id IS NULL OR rule.project_id = purchase.owner_project_id)
    -- A partial refund is a discount after the fact and takes nothing away. A refund that failed gives it back.
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge
      WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded' AND charge.amount > 0
        AND coalesce(nullif(charge.amount_captured, 0), charge.amount) <= (
          SELECT refunds.balance FROM billing.refund_balances AS refunds WHERE refunds.charge_id = charge.id))
    -- Nothing is known of the charge yet: what the session cost was given back.
    AND NOT (purchase.amount_total > 0
      AND purchase.amount_total <= (
        SELECT coalesce(sum(refund.amount), 0) FROM billing.refunds AS refund
        WHERE refund.payment_intent_id = purchase.payment_intent_id AND refund.status NOT IN ('failed', 'canceled'))
      AND NOT EXISTS (
        SELECT FROM billing.charges AS charge
        WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded'))
    AND NOT EXISTS (
      SELECT FROM billing.disputes AS dispute
      WHERE dispute.payment_intent_id = purchase.payment_intent_id
        AND billing.takes_access(dispute.status, rule.on_dispute))
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge JOIN billing.disputes AS dispute ON dispute.charge_id = charge.id
      WHERE charge.payment_intent_id = purchase.payment_intent_id
        AND billing.takes_access(dispute.status, rule.on_dispute))
) AS granted
WHERE valid_until IS NULL OR valid_until > valid_from
GROUP BY user_id, project_id, feature, source, source_id, valid_from;
DROP FUNCTION billing.former_prices(text);
DROP FUNCTION billing.past_due_until(text, text, text, text, boolean, timestamptz, timestamptz, interval);
DROP FUNCTION billing.was_taken_back(text, text, text, text, timestamptz, timestamptz);
