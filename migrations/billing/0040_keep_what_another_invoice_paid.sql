-- Up Migration
-- A change that was not paid takes nothing away that was, however it is written: by another price of the item, or by another
-- item in its place. A dispute takes back what only its payment paid: the dispute of a seat's price leaves the year that another
-- invoice paid, and the dispute of the year takes the upgrade that was paid with its credit. docs/entitlements.md has the rules.
-- The view is replaced at once; queries of it wait for each other that long. Code from before works on. Nothing is computed again
-- by this: `ops entitlements recompute --all`.

-- What tells a line of an invoice from the others.
CREATE FUNCTION billing.line_key(
  invoice text, item text, price text, amount bigint, period_start timestamptz, period_end timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT concat_ws('|', $1, $2, $3, $4, extract(epoch FROM $5), extract(epoch FROM $6))
$$;

-- Keys of the lines of paid invoices that disputes undid: those of a disputed invoice, and where an invoice gives a credit for
-- what only such lines had paid, as an upgrade or a further seat does, that credit and what was bought with it: what the
-- invoice charges for the same item and time, or if it charges nothing for that item, for what took its place.
CREATE FUNCTION billing.undone_lines(subscription text, on_dispute text) RETURNS SETOF text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  disputed text[] := ARRAY(SELECT billing.disputed_invoices($1, $2));
  undone text[];
  later record;
BEGIN
  IF disputed = '{}' THEN RETURN; END IF;
  undone := ARRAY(
    SELECT billing.line_key(invoice.id, line.item_id, line.price_id, line.amount, line.period_start, line.period_end)
    FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
    WHERE invoice.id = ANY (disputed) AND invoice.status = 'paid');
  -- In the order in which they were made: what one gives a credit for was paid by those before it.
  FOR later IN
    SELECT invoice.id, invoice.raw, invoice.created_at FROM billing.invoices AS invoice
    WHERE invoice.subscription_id = $1 AND invoice.status = 'paid' AND invoice.id <> ALL (disputed)
    ORDER BY invoice.created_at, invoice.id
  LOOP
    undone := undone || ARRAY(
      WITH lines AS (
        SELECT line.*, billing.line_key(
          later.id, line.item_id, line.price_id, line.amount, line.period_start, line.period_end) AS key
        FROM billing.invoice_lines(later.raw) AS line
      ), credits AS (
        SELECT credit.* FROM lines AS credit
        WHERE credit.amount < 0 AND (
          SELECT bool_and(billing.line_key(
            earlier.id, line.item_id, line.price_id, line.amount, line.period_start, line.period_end) = ANY (undone))
          FROM billing.invoices AS earlier CROSS JOIN LATERAL billing.invoice_lines(earlier.raw) AS line
          WHERE earlier.subscription_id = $1 AND earlier.status = 'paid'
            AND (earlier.created_at, earlier.id) < (later.created_at, later.id)
            AND line.amount >= 0 AND line.item_id = credit.item_id AND line.price_id = credit.price_id
            AND line.period_end >= credit.period_end)
      ), bought AS (
        SELECT credits.key AS credit, credits.item_id AS credited, charged.item_id, charged.key
        FROM credits JOIN lines AS charged ON charged.amount >= 0
          AND charged.period_start < credits.period_end AND charged.period_end > credits.period_start
      )
      SELECT key FROM credits
      UNION
      SELECT bought.key FROM bought
      WHERE bought.item_id = bought.credited
        OR NOT EXISTS (SELECT FROM bought AS same WHERE same.credit = bought.credit AND same.item_id = same.credited));
  END LOOP;
  RETURN QUERY SELECT unnest(undone);
END
$$;

-- Prices that a subscription was billed at before: of items that have another price now, and of items that were removed. STRICT
-- keeps PostgreSQL from making the query a part of the one that calls it.
CREATE FUNCTION billing.prices_before(subscription text)
RETURNS TABLE (item_id text, price_id text, product_id text, is_removed boolean)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 AS $$
  SELECT DISTINCT line.item_id, line.price_id, line.product_id, item.id IS NULL
  FROM billing.invoices AS invoice
  CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
  LEFT JOIN billing.subscription_items AS item ON item.id = line.item_id AND item.subscription_id = $1
  WHERE invoice.subscription_id = $1 AND invoice.status = 'paid' AND line.item_id IS NOT NULL AND line.price_id IS NOT NULL
    AND CASE WHEN item.id IS NOT NULL
      THEN coalesce(item.quantity, 1) > 0 AND line.price_id <> item.price_id ELSE line.amount >= 0 END
$$;

-- Whether a change away from an item at a price was taken back by a dispute, with the credit for it.
CREATE FUNCTION billing.change_was_taken_back(subscription text, item text, price text, on_dispute text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
    WHERE invoice.subscription_id = $1 AND invoice.status = 'paid'
      AND line.amount < 0 AND line.item_id = $2 AND line.price_id = $3
      AND billing.line_key(invoice.id, line.item_id, line.price_id, line.amount, line.period_start, line.period_end)
        IN (SELECT billing.undone_lines($1, $4)))
$$;

-- Whether a change away from an item at a price was not paid: the invoice with the credit for it is open or given up, or a
-- dispute took its payment back.
CREATE FUNCTION billing.change_is_undone(subscription text, item text, price text, on_dispute text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT billing.change_was_taken_back($1, $2, $3, $4) OR EXISTS (
    SELECT FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
    WHERE invoice.subscription_id = $1 AND invoice.status IN ('open', 'uncollectible')
      AND line.amount < 0 AND line.item_id = $2 AND line.price_id = $3)
$$;

-- The end of what paid invoices cover of an item at a price; null for nothing. The credit of a later paid invoice cuts what
-- was covered before it. What a dispute took back neither covers nor cuts.
CREATE OR REPLACE FUNCTION billing.paid_until(subscription text, item text, price text, on_dispute text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH paid AS (
    SELECT invoice.id, invoice.created_at, line.*
    FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
    WHERE invoice.subscription_id = $1 AND invoice.status = 'paid'
      AND coalesce(line.item_id, $2) = $2 AND line.price_id = $3
      AND billing.line_key(invoice.id, line.item_id, line.price_id, line.amount, line.period_start, line.period_end)
        NOT IN (SELECT billing.undone_lines($1, $4))
  )
  SELECT max(least(paid.period_end, (
    SELECT min(greatest(credit.period_start, paid.period_start)) FROM paid AS credit
    WHERE credit.amount < 0 AND credit.created_at > paid.created_at)))
  FROM paid
  WHERE amount >= 0
$$;

-- Whether a dispute took back the payment of the period in which an item is, and no other invoice paid it.
CREATE OR REPLACE FUNCTION billing.was_taken_back(
  subscription text, item text, price text, on_dispute text, period_start timestamptz, period_end timestamptz)
RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (
    SELECT FROM billing.invoices AS invoice
    LEFT JOIN LATERAL billing.invoice_lines(invoice.raw) AS line ON true
    WHERE invoice.subscription_id = $1 AND invoice.status = 'paid'
      AND (line.amount >= 0 AND coalesce(line.item_id, $2) = $2 AND line.price_id = $3 AND line.period_end >= $6
          AND billing.line_key(invoice.id, line.item_id, line.price_id, line.amount, line.period_start, line.period_end)
            IN (SELECT billing.undone_lines($1, $4))
        OR NOT billing.has_lines(invoice.raw) AND invoice.created_at >= $5
          AND invoice.id IN (SELECT billing.disputed_invoices($1, $4))))
    AND coalesce(billing.paid_until($1, $2, $3, $4) < $6, true)
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
    SELECT item.id AS item_id, item.price_id, item.product_id, true AS is_current, false AS is_removed,
           item.current_period_start AS period_start, item.current_period_end AS period_end
    FROM billing.subscription_items AS item
    WHERE item.subscription_id = subscription.id AND coalesce(item.quantity, 1) > 0
    UNION ALL
    SELECT former.item_id, former.price_id, former.product_id, false, former.is_removed, NULL::timestamptz, NULL::timestamptz
    FROM billing.prices_before(subscription.id) AS former
    WHERE subscription.status IN ('past_due', 'unpaid') OR subscription.pause_behavior IS NOT NULL
      OR EXISTS (SELECT FROM billing.disputed_subscriptions AS disputed
                 WHERE disputed.subscription_id = subscription.id)
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
      -- What an item was before a change that is not undone was given up with it.
      WHEN sold.is_removed AND NOT billing.change_is_undone(
        subscription.id, sold.item_id, sold.price_id, rule.on_dispute) THEN '-infinity'
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
      WHEN NOT sold.is_current THEN
        CASE WHEN subscription.status = 'active'
            AND billing.change_was_taken_back(subscription.id, sold.item_id, sold.price_id, rule.on_dispute) THEN
          coalesce(billing.paid_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute), '-infinity')
        ELSE '-infinity' END
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

DROP FUNCTION billing.former_prices(text);

-- Down Migration
CREATE OR REPLACE FUNCTION billing.former_prices(subscription text)
RETURNS TABLE (item_id text, price_id text, product_id text)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 AS $$
  SELECT DISTINCT item.id, line.price_id, line.product_id
  FROM billing.subscription_items AS item
  JOIN billing.invoices AS invoice ON invoice.subscription_id = item.subscription_id AND invoice.status = 'paid'
  CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
  WHERE item.subscription_id = $1 AND coalesce(item.quantity, 1) > 0
    AND line.item_id = item.id AND line.price_id <> item.price_id
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
CREATE OR REPLACE FUNCTION billing.was_taken_back(
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
CREATE OR REPLACE FUNCTION billing.paid_until(subscription text, item text, price text, on_dispute text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH paid AS (
    SELECT invoice.id, invoice.created_at, line.*
    FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
    WHERE invoice.subscription_id = $1 AND invoice.status = 'paid'
      AND coalesce(line.item_id, $2) = $2 AND line.price_id = $3
  )
  SELECT max(least(paid.period_end, (
    SELECT min(greatest(credit.period_start, paid.period_start)) FROM paid AS credit
    WHERE credit.amount < 0 AND credit.created_at > paid.created_at)))
  FROM paid
  WHERE amount >= 0 AND paid.id NOT IN (SELECT billing.disputed_invoices($1, $4))
$$;
DROP FUNCTION billing.prices_before(text);
DROP FUNCTION billing.change_is_undone(text, text, text, text);
DROP FUNCTION billing.change_was_taken_back(text, text, text, text);
DROP FUNCTION billing.undone_lines(text, text);
DROP FUNCTION billing.line_key(text, text, text, bigint, timestamptz, timestamptz);
