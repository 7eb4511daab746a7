-- Up Migration
-- docs/entitlements.md says these rules in words. Each is a function of the set of stored facts, never of the order in
-- which they arrived. What only few statuses need is a function: the others never call it.

-- The lines of an invoice, in the shapes of API versions before and since 2025.
CREATE FUNCTION billing.invoice_lines(raw jsonb)
RETURNS TABLE (item_id text, price_id text, product_id text, amount bigint, period_start timestamptz, period_end timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(line #>> '{parent,subscription_item_details,subscription_item}', line ->> 'subscription_item'),
         coalesce(line #>> '{pricing,price_details,price}', line #>> '{price,id}', line #>> '{plan,id}'),
         coalesce(line #>> '{pricing,price_details,product}', line #>> '{price,product}', line #>> '{plan,product}'),
         (line ->> 'amount')::bigint,
         to_timestamp((line #>> '{period,start}')::float8),
         to_timestamp((line #>> '{period,end}')::float8)
  FROM jsonb_array_elements(CASE WHEN jsonb_typeof(raw #> '{lines,data}') = 'array' THEN raw #> '{lines,data}' END) AS line
$$;

-- Whether a dispute of this status takes access away.
CREATE FUNCTION billing.takes_access(status text, on_dispute text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE on_dispute
    WHEN 'never' THEN false
    WHEN 'on_loss' THEN status = 'lost'
    ELSE status IN ('needs_response', 'under_review', 'lost')
  END
$$;

-- Invoices of a subscription whose payment a bank took back, or is about to.
CREATE FUNCTION billing.disputed_invoices(subscription text, on_dispute text) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT invoice.id
  FROM billing.disputed_subscriptions AS disputed
  JOIN billing.disputes AS dispute ON dispute.id = disputed.dispute_id
  LEFT JOIN billing.charges AS charge ON charge.id = dispute.charge_id
  JOIN billing.invoices AS invoice ON invoice.subscription_id = disputed.subscription_id
  WHERE disputed.subscription_id = $1 AND billing.takes_access(dispute.status, $2)
    AND (coalesce(dispute.payment_intent_id, charge.payment_intent_id) = invoice.payment_intent_id
      OR EXISTS (SELECT FROM billing.invoice_payments AS payment
                 WHERE payment.invoice_id = invoice.id
                   AND payment.payment_intent_id = coalesce(dispute.payment_intent_id, charge.payment_intent_id)))
$$;

-- The end of what paid invoices cover of an item at a price; null for nothing. The credit of a later paid invoice cuts what
-- was covered before it.
CREATE FUNCTION billing.paid_until(subscription text, item text, price text, on_dispute text) RETURNS timestamptz
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

-- When the grace of the oldest open invoice for an item at its price began: the due date, or the first failed attempt.
CREATE FUNCTION billing.owed_since(subscription text, item text, price text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT min(coalesce(
    to_timestamp((invoice.raw ->> 'due_date')::float8),
    (SELECT min(event.occurred_at) FROM billing.webhook_events AS event
     WHERE event.object_id = invoice.id AND event.type = 'invoice.payment_failed'),
    to_timestamp((invoice.raw #>> '{status_transitions,finalized_at}')::float8),
    invoice.created_at))
  FROM billing.invoices AS invoice
  WHERE invoice.subscription_id = $1 AND invoice.status = 'open'
    AND EXISTS (SELECT FROM billing.invoice_lines(invoice.raw) AS line
                WHERE coalesce(line.item_id, $2) = $2 AND line.price_id = $3 AND line.amount > 0)
$$;

-- Where no paid invoice of a subscription is known: whether an event shows that this period was paid. It was active when it
-- was created, or later than a day after the period's start; Stripe collects within hours.
CREATE FUNCTION billing.was_active_in(subscription text, period_start timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT NOT EXISTS (SELECT FROM billing.invoices WHERE subscription_id = $1 AND status = 'paid') AND EXISTS (
    SELECT FROM billing.webhook_events AS event
    CROSS JOIN LATERAL (SELECT event.payload #> '{data,object}' AS object) AS seen
    WHERE event.object_id = $1 AND event.type LIKE 'customer.subscription.%'
      AND object ->> 'status' = 'active'
      AND coalesce(object ->> 'collection_method', 'charge_automatically') = 'charge_automatically'
      AND coalesce(jsonb_typeof(object -> 'pause_collection'), 'null') = 'null'
      AND (event.type = 'customer.subscription.created' OR event.occurred_at > $2 + interval '24 hours')
      AND to_timestamp(coalesce(object #>> '{items,data,0,current_period_start}', object ->> 'current_period_start')::float8)
        = $2)
$$;

-- Whose a subscription is: what an operator assigned, its own metadata, its checkout session's, its customer's, the
-- session's client_reference_id, the default; for each column by itself.
CREATE VIEW billing.owned_subscriptions AS
SELECT subscription.*,
       coalesce(assigned.user_id, subscription.user_id,
         (SELECT session.user_id FROM billing.purchases AS session
          WHERE session.subscription_id = subscription.id AND session.user_id IS NOT NULL
          ORDER BY session.created_at, session.id LIMIT 1),
         (SELECT customer.user_id FROM billing.customers AS customer WHERE customer.id = subscription.customer_id),
         (SELECT session.client_reference_id FROM billing.purchases AS session
          WHERE session.subscription_id = subscription.id AND session.client_reference_id IS NOT NULL
          ORDER BY session.created_at, session.id LIMIT 1)) AS owner_user_id,
       coalesce(assigned.project_id,
         CASE WHEN NOT coalesce('project_id' = ANY (subscription.defaulted), false) THEN subscription.project_id END,
         (SELECT session.project_id FROM billing.purchases AS session
          WHERE session.subscription_id = subscription.id AND session.project_id IS NOT NULL
            AND NOT coalesce('project_id' = ANY (session.defaulted), false)
          ORDER BY session.created_at, session.id LIMIT 1),
         (SELECT customer.project_id FROM billing.customers AS customer
          WHERE customer.id = subscription.customer_id AND NOT coalesce('project_id' = ANY (customer.defaulted), false)),
         subscription.project_id) AS owner_project_id,
       coalesce(assigned.app_id,
         CASE WHEN NOT coalesce('app_id' = ANY (subscription.defaulted), false) THEN subscription.app_id END,
         (SELECT session.app_id FROM billing.purchases AS session
          WHERE session.subscription_id = subscription.id AND session.app_id IS NOT NULL
            AND NOT coalesce('app_id' = ANY (session.defaulted), false)
          ORDER BY session.created_at, session.id LIMIT 1),
         (SELECT customer.app_id FROM billing.customers AS customer
          WHERE customer.id = subscription.customer_id AND NOT coalesce('app_id' = ANY (customer.defaulted), false)),
         subscription.app_id) AS owner_app_id
FROM billing.subscriptions AS subscription
LEFT JOIN billing.owner_assignments AS assigned ON assigned.object_id = subscription.id;

-- Whose a one-time purchase is: assigned, its own metadata, its customer's, its client_reference_id, the default.
CREATE VIEW billing.owned_purchases AS
SELECT purchase.*,
       coalesce(assigned.user_id, purchase.user_id,
         (SELECT customer.user_id FROM billing.customers AS customer WHERE customer.id = purchase.customer_id),
         purchase.client_reference_id) AS owner_user_id,
       coalesce(assigned.project_id,
         CASE WHEN NOT coalesce('project_id' = ANY (purchase.defaulted), false) THEN purchase.project_id END,
         (SELECT customer.project_id FROM billing.customers AS customer
          WHERE customer.id = purchase.customer_id AND NOT coalesce('project_id' = ANY (customer.defaulted), false)),
         purchase.project_id) AS owner_project_id,
       coalesce(assigned.app_id,
         CASE WHEN NOT coalesce('app_id' = ANY (purchase.defaulted), false) THEN purchase.app_id END,
         (SELECT customer.app_id FROM billing.customers AS customer
          WHERE customer.id = purchase.customer_id AND NOT coalesce('app_id' = ANY (customer.defaulted), false)),
         purchase.app_id) AS owner_app_id
FROM billing.purchases AS purchase
LEFT JOIN billing.owner_assignments AS assigned ON assigned.object_id = purchase.id;

-- A refund may name its payment intent only: it is then one of the charge that succeeded for the intent.
CREATE OR REPLACE VIEW billing.refund_entries AS
WITH attributed AS (
  SELECT charge_id, refund_id, kind, amount, currency, recorded_at
  FROM billing.refund_ledger
  WHERE kind <> 'reported' AND charge_id IS NOT NULL
  UNION ALL
  SELECT charge.id, entry.refund_id, entry.kind, entry.amount, entry.currency, entry.recorded_at
  FROM billing.charges AS charge
  JOIN billing.refunds AS refund ON refund.payment_intent_id = charge.payment_intent_id AND refund.charge_id IS NULL
  JOIN billing.refund_ledger AS entry ON entry.refund_id = refund.id AND entry.charge_id IS NULL
  WHERE charge.status = 'succeeded'
)
SELECT charge_id, refund_id, kind, amount, currency, NULL::bigint AS refunded_total, recorded_at FROM attributed
UNION ALL
SELECT charge_id, NULL, 'unattributed', step, currency, refunded_total, recorded_at
FROM (
  SELECT reported.*,
         greatest(refunded_total, known) - greatest(lag(refunded_total, 1, 0::bigint) OVER totals, known) AS step
  FROM billing.refund_ledger AS reported
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(refund.amount), 0)::bigint AS known
    FROM attributed AS refund
    WHERE refund.charge_id = reported.charge_id AND refund.kind = 'refunded'
  ) AS refunds
  WHERE kind = 'reported'
  WINDOW totals AS (PARTITION BY charge_id ORDER BY refunded_total)
) AS steps
WHERE step > 0;

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
        coalesce(billing.paid_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute), '-infinity')
      WHEN subscription.status = 'past_due' THEN (
        SELECT CASE
          WHEN NOT sold.is_current THEN coalesce(paid.until, '-infinity')
          WHEN debt.since IS NOT NULL THEN greatest(paid.until, debt.since + grace.period)
          WHEN paid.until IS NOT NULL THEN paid.until + grace.period
          WHEN EXISTS (SELECT FROM billing.invoices AS known WHERE known.subscription_id = subscription.id) THEN '-infinity'
          -- Nothing is known of its invoices. Stripe begins a period, then fails to collect for it; an invoice that is
          -- sent is due some days after the period's start.
          ELSE coalesce(sold.period_start, subscription.created_at) + grace.period
            + CASE WHEN subscription.collection_method = 'send_invoice'
                THEN make_interval(hours => 24 * coalesce(subscription.days_until_due, 0)) ELSE interval '0' END
          END
        FROM (SELECT billing.owed_since(subscription.id, sold.item_id, sold.price_id) AS since) AS debt
        CROSS JOIN (
          SELECT coalesce(
            billing.paid_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute),
            CASE WHEN sold.is_current AND billing.was_active_in(subscription.id, sold.period_start)
              THEN sold.period_end END) AS until
        ) AS paid)
      -- The periods of a pause are not paid: they are voided, or given up.
      WHEN subscription.status = 'active' AND subscription.pause_behavior IS NOT NULL
          AND coalesce(rule.while_paused = 'paid', subscription.pause_behavior <> 'keep_as_draft') THEN
        coalesce(
          billing.paid_until(subscription.id, sold.item_id, sold.price_id, rule.on_dispute),
          CASE WHEN sold.is_current AND billing.was_active_in(subscription.id, sold.period_start)
            THEN sold.period_end END,
          '-infinity')
      WHEN NOT sold.is_current THEN '-infinity'
      WHEN EXISTS (SELECT FROM billing.disputed_subscriptions AS disputed
                   WHERE disputed.subscription_id = subscription.id)
        -- The payment of the present period was taken back.
        AND EXISTS (
          SELECT FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
          WHERE invoice.subscription_id = subscription.id AND invoice.status = 'paid' AND line.amount >= 0
            AND coalesce(line.item_id, sold.item_id) = sold.item_id AND line.price_id = sold.price_id
            AND line.period_end >= sold.period_end
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
  SELECT subscription.user_id,
         coalesce(subscription.project_id, '') AS project_id,
         granted.feature,
         'subscription' AS source,
         subscription.id AS source_id,
         subscription.created_at AS valid_from,
         -- The earliest of these ends it; those that are null do not.
         least(
           CASE subscription.status
             -- A trial has paid for nothing, so nothing outlives it.
             WHEN 'trialing' THEN coalesce(subscription.trial_end, item.current_period_end)
             -- The news that it was renewed comes an hour after the period's end, or later.
             WHEN 'active' THEN item.current_period_end + rule.grace
             -- Stripe begins the new period, then fails to collect for it: this period is the unpaid one.
             WHEN 'past_due' THEN coalesce(item.current_period_start, subscription.created_at) + rule.grace
             WHEN 'canceled' THEN coalesce(subscription.ended_at, subscription.canceled_at, subscription.created_at)
           END,
           CASE WHEN subscription.cancel_at_period_end THEN subscription.current_period_end END,
           subscription.cancel_at,
           subscription.ended_at
         ) AS valid_until
  FROM billing.subscriptions AS subscription
  JOIN billing.subscription_items AS item ON item.subscription_id = subscription.id
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'subscription' AND (rule.price_id = item.price_id OR rule.product_id = item.product_id)
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  -- Never `incomplete` (the first payment is missing), `unpaid` (Stripe gave up collecting) or `paused`.
  WHERE subscription.status IN ('trialing', 'active', 'past_due', 'canceled')
    AND subscription.user_id IS NOT NULL
    AND (rule.app_id IS NULL OR rule.app_id = subscription.app_id)
    AND (rule.project_id IS NULL OR rule.project_id = subscription.project_id)
  UNION ALL
  SELECT purchase.user_id,
         coalesce(purchase.project_id, ''),
         replace(granted.feature, '{item_id}', coalesce(purchase.item_id, '')),
         'purchase',
         purchase.id,
         purchase.created_at,
         NULL
  FROM billing.purchases AS purchase
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'purchase' AND rule.purchase_kind = purchase.kind
      AND (rule.item_id IS NULL OR rule.item_id = purchase.item_id)
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  WHERE purchase.user_id IS NOT NULL
    -- A checkout that starts a subscription grants nothing by itself: the subscription does.
    AND purchase.mode = 'payment'
    AND coalesce(purchase.status, 'complete') = 'complete'
    AND purchase.payment_status IN ('paid', 'no_payment_required')
    AND (purchase.item_id IS NOT NULL OR strpos(granted.feature, '{item_id}') = 0)
    AND (rule.app_id IS NULL OR rule.app_id = purchase.app_id)
    AND (rule.project_id IS NULL OR rule.project_id = purchase.project_id)
    -- A partial refund is a discount after the fact and takes nothing away. A refund that failed gives it back.
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge
      WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded' AND charge.amount > 0
        AND charge.amount <= (
          SELECT refunds.balance FROM billing.refund_balances AS refunds WHERE refunds.charge_id = charge.id)
    )
) AS granted
WHERE valid_until IS NULL OR valid_until > valid_from
GROUP BY user_id, project_id, feature, source, source_id, valid_from;
CREATE OR REPLACE VIEW billing.refund_entries AS
SELECT charge_id, refund_id, kind, amount, currency, NULL::bigint AS refunded_total, recorded_at
FROM billing.refund_ledger
WHERE kind <> 'reported'
UNION ALL
SELECT charge_id, NULL, 'unattributed', step, currency, refunded_total, recorded_at
FROM (
  SELECT reported.*,
         greatest(refunded_total, known) - greatest(lag(refunded_total, 1, 0::bigint) OVER totals, known) AS step
  FROM billing.refund_ledger AS reported
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(refund.amount), 0)::bigint AS known
    FROM billing.refund_ledger AS refund
    WHERE refund.charge_id = reported.charge_id AND refund.kind = 'refunded'
  ) AS refunds
  WHERE kind = 'reported'
  WINDOW totals AS (PARTITION BY charge_id ORDER BY refunded_total)
) AS steps
WHERE step > 0;
DROP VIEW billing.owned_purchases, billing.owned_subscriptions;
DROP FUNCTION billing.was_active_in(text, timestamptz);
DROP FUNCTION billing.owed_since(text, text, text);
DROP FUNCTION billing.paid_until(text, text, text, text);
DROP FUNCTION billing.disputed_invoices(text, text);
DROP FUNCTION billing.takes_access(text, text);
DROP FUNCTION billing.invoice_lines(jsonb);
