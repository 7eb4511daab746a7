-- Up Migration
-- PostgreSQL planned the query of what events show to be paid for each subscription anew, which took longer than all the rest of one
-- that is `past_due` or `unpaid`. In PL/pgSQL a session plans it once, and does not where a paid invoice is known. An invoice
-- without a status is a draft, which is not paid.
--
-- A function only: no table is locked, and code from before works on. Nothing is computed again by this.

-- What events show to be paid, where no paid invoice of the subscription is known with its lines: each item at its price and period. A
-- subscription was active when it was created, or later than a day after the period's start, because Stripe collects within
-- hours; or it became active from `incomplete`, which takes a payment or begins one. What an unpaid invoice bills from the period's
-- start on was not paid, nor a price that it bills in place of another; without lines, an invoice of the period's first day bills it.
CREATE OR REPLACE FUNCTION billing.items_seen_paid(subscription text)
RETURNS TABLE (item_id text, price_id text, product_id text, period_start timestamptz, period_end timestamptz)
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 1 AS $$
BEGIN
  IF EXISTS (SELECT FROM billing.invoices AS known
             WHERE known.subscription_id = $1 AND known.status = 'paid' AND billing.has_lines(known.raw)) THEN RETURN; END IF;
  RETURN QUERY
    SELECT DISTINCT sold.item_id, sold.price_id, sold.product_id, sold.period_start, sold.period_end
    FROM billing.webhook_events AS event
    CROSS JOIN LATERAL (
      SELECT event.payload #> '{data,object}' AS object, event.payload #> '{data,previous_attributes}' AS previous
    ) AS told
    -- As it was while it was active: the event itself, or before it.
    CROSS JOIN LATERAL (
      SELECT CASE WHEN object ->> 'status' = 'active' THEN object
                  WHEN previous ->> 'status' = 'active' THEN object || previous END AS active,
             object ->> 'status' = 'active'
               AND (event.type = 'customer.subscription.created' OR coalesce(previous ->> 'status' = 'incomplete', false)) AS begins
    ) AS seen
    CROSS JOIN LATERAL jsonb_array_elements(
      CASE WHEN jsonb_typeof(active #> '{items,data}') = 'array' THEN active #> '{items,data}' END) AS item
    CROSS JOIN LATERAL (
      SELECT item ->> 'id' AS item_id,
             coalesce(item #>> '{price,id}', item #>> '{plan,id}') AS price_id,
             coalesce(item #>> '{price,product,id}', item #>> '{price,product}', item #>> '{plan,product}') AS product_id,
             to_timestamp(coalesce(item ->> 'current_period_start', active ->> 'current_period_start')::float8) AS period_start,
             to_timestamp(coalesce(item ->> 'current_period_end', active ->> 'current_period_end')::float8) AS period_end
    ) AS sold
    WHERE event.object_id = $1 AND event.type LIKE 'customer.subscription.%' AND event.status = 'processed'
      AND coalesce(active ->> 'collection_method', 'charge_automatically') = 'charge_automatically'
      AND coalesce(jsonb_typeof(active -> 'pause_collection'), 'null') = 'null'
      AND (begins OR event.occurred_at > sold.period_start + interval '24 hours')
      AND NOT EXISTS (
        SELECT FROM billing.invoices AS owed CROSS JOIN LATERAL billing.invoice_lines(owed.raw) AS line
        WHERE owed.subscription_id = $1 AND coalesce(owed.status, 'draft') NOT IN ('paid', 'deleted') AND line.amount >= 0
          AND coalesce(line.item_id, sold.item_id) = sold.item_id AND line.price_id = sold.price_id
          AND line.period_end > sold.period_start
          AND (line.period_start <= sold.period_start OR EXISTS (
            SELECT FROM billing.invoice_lines(owed.raw) AS credit
            WHERE credit.amount < 0 AND credit.item_id = sold.item_id AND credit.price_id <> sold.price_id)))
      AND NOT EXISTS (
        SELECT FROM billing.invoices AS owed
        WHERE owed.subscription_id = $1 AND coalesce(owed.status, 'draft') NOT IN ('paid', 'deleted') AND NOT billing.has_lines(owed.raw)
          AND owed.created_at >= sold.period_start AND owed.created_at < sold.period_start + interval '24 hours'
          AND coalesce(owed.raw ->> 'billing_reason', '') <> 'subscription_update');
END
$$;

-- Down Migration
CREATE OR REPLACE FUNCTION billing.items_seen_paid(subscription text)
RETURNS TABLE (item_id text, price_id text, product_id text, period_start timestamptz, period_end timestamptz)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 AS $$
  SELECT DISTINCT sold.item_id, sold.price_id, sold.product_id, sold.period_start, sold.period_end
  FROM billing.webhook_events AS event
  CROSS JOIN LATERAL (
    SELECT event.payload #> '{data,object}' AS object, event.payload #> '{data,previous_attributes}' AS previous
  ) AS told
  -- As it was while it was active: the event itself, or before it.
  CROSS JOIN LATERAL (
    SELECT CASE WHEN object ->> 'status' = 'active' THEN object
                WHEN previous ->> 'status' = 'active' THEN object || previous END AS active,
           object ->> 'status' = 'active'
             AND (event.type = 'customer.subscription.created' OR coalesce(previous ->> 'status' = 'incomplete', false)) AS begins
  ) AS seen
  CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(active #> '{items,data}') = 'array' THEN active #> '{items,data}' END) AS item
  CROSS JOIN LATERAL (
    SELECT item ->> 'id' AS item_id,
           coalesce(item #>> '{price,id}', item #>> '{plan,id}') AS price_id,
           coalesce(item #>> '{price,product,id}', item #>> '{price,product}', item #>> '{plan,product}') AS product_id,
           to_timestamp(coalesce(item ->> 'current_period_start', active ->> 'current_period_start')::float8) AS period_start,
           to_timestamp(coalesce(item ->> 'current_period_end', active ->> 'current_period_end')::float8) AS period_end
  ) AS sold
  WHERE event.object_id = $1 AND event.type LIKE 'customer.subscription.%' AND event.status = 'processed'
    AND NOT EXISTS (SELECT FROM billing.invoices AS known
                    WHERE known.subscription_id = $1 AND known.status = 'paid' AND billing.has_lines(known.raw))
    AND coalesce(active ->> 'collection_method', 'charge_automatically') = 'charge_automatically'
    AND coalesce(jsonb_typeof(active -> 'pause_collection'), 'null') = 'null'
    AND (begins OR event.occurred_at > sold.period_start + interval '24 hours')
    AND NOT EXISTS (
      SELECT FROM billing.invoices AS owed CROSS JOIN LATERAL billing.invoice_lines(owed.raw) AS line
      WHERE owed.subscription_id = $1 AND owed.status NOT IN ('paid', 'deleted') AND line.amount >= 0
        AND coalesce(line.item_id, sold.item_id) = sold.item_id AND line.price_id = sold.price_id
        AND line.period_end > sold.period_start
        AND (line.period_start <= sold.period_start OR EXISTS (
          SELECT FROM billing.invoice_lines(owed.raw) AS credit
          WHERE credit.amount < 0 AND credit.item_id = sold.item_id AND credit.price_id <> sold.price_id)))
    AND NOT EXISTS (
      SELECT FROM billing.invoices AS owed
      WHERE owed.subscription_id = $1 AND owed.status NOT IN ('paid', 'deleted') AND NOT billing.has_lines(owed.raw)
        AND owed.created_at >= sold.period_start AND owed.created_at < sold.period_start + interval '24 hours'
        AND coalesce(owed.raw ->> 'billing_reason', '') <> 'subscription_update')
$$;
