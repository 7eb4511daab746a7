-- Up Migration
-- An invoice that is not paid refutes what events suggest: a subscription is `active` while a bank debit is on its way, and a sent invoice
-- was granted as paid for its whole period once it failed. What events suggest counts for the item and the price that they show, so a
-- declined upgrade leaves the price before it, also where no invoice of it was received. What no invoice has billed yet (usage, or a
-- change that waits for the next invoice) is granted under `past_due` as under `active`, a part of an unpaid invoice that is free has
-- the grace of the others, and an invoice that was left open takes no grace from one that fails after a later one was paid.
-- docs/entitlements.md has the rules.
--
-- Functions only: no table is locked, and code from before works on. Nothing is computed again by this:
-- `ops entitlements recompute --all`.

-- What events show to be paid, where no paid invoice of the subscription is known with its lines: each item at its price and period. A
-- subscription was active when it was created, or later than a day after the period's start, because Stripe collects within
-- hours; or it became active from `incomplete`, which takes a payment or begins one. What an unpaid invoice bills from the period's
-- start on was not paid, nor a price that it bills in place of another. STRICT keeps PostgreSQL from making the query a part of the
-- one that calls it.
CREATE FUNCTION billing.items_seen_paid(subscription text)
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
$$;

-- The end of what is known to be paid of an item at a price; null for nothing. The period of the price that the item has now is
-- null for any other. A paid invoice without lines paid the period in which it was made.
CREATE OR REPLACE FUNCTION billing.covered_until(
  subscription text, item text, price text, on_dispute text, period_start timestamptz, period_end timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    billing.paid_until($1, $2, $3, $4),
    CASE WHEN EXISTS (SELECT FROM billing.invoices AS invoice
                      WHERE invoice.subscription_id = $1 AND invoice.status = 'paid' AND NOT billing.has_lines(invoice.raw)
                        AND invoice.created_at >= $5 AND invoice.id NOT IN (SELECT billing.disputed_invoices($1, $4)))
    THEN $6
    ELSE (SELECT max(coalesce($6, seen.period_end)) FROM billing.items_seen_paid($1) AS seen
          WHERE seen.item_id = $2 AND seen.price_id = $3 AND coalesce(seen.period_start = $5, true)) END)
$$;

-- When the grace of the oldest open invoice for an item at its price began: the due date, or the first failed attempt. An
-- invoice without lines is one for every item, and a line that costs nothing is owed with the rest of its invoice. What was paid
-- later settles it for access: Stripe makes a subscription active once its newest invoice is paid.
CREATE FUNCTION billing.owed_since(subscription text, item text, price text, paid_until timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT min(coalesce(
    to_timestamp((invoice.raw ->> 'due_date')::float8),
    (SELECT min(event.occurred_at) FROM billing.webhook_events AS event
     WHERE event.object_id = invoice.id AND event.type = 'invoice.payment_failed'),
    to_timestamp((invoice.raw #>> '{status_transitions,finalized_at}')::float8),
    invoice.created_at))
  FROM billing.invoices AS invoice
  WHERE invoice.subscription_id = $1 AND invoice.status = 'open'
    AND (NOT billing.has_lines(invoice.raw) OR EXISTS (
      SELECT FROM billing.invoice_lines(invoice.raw) AS line
      WHERE coalesce(line.item_id, $2) = $2 AND line.price_id = $3 AND line.amount >= 0
        AND coalesce(line.period_end >= $4, true)))
$$;

-- Whether the present period of an item is billed with a later invoice: usage is, after the period, and a change that waits for the
-- next invoice, which no invoice bills at that price. Without any invoice that is known by its lines, nothing says so.
CREATE FUNCTION billing.is_billed_later(subscription text, item text, price text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (SELECT FROM billing.invoices AS known
                 WHERE known.subscription_id = $1 AND billing.has_lines(known.raw))
    AND (EXISTS (
        SELECT FROM billing.subscriptions AS own
        CROSS JOIN LATERAL jsonb_array_elements(
          CASE WHEN jsonb_typeof(own.raw #> '{items,data}') = 'array' THEN own.raw #> '{items,data}' END) AS sold
        WHERE own.id = $1 AND sold ->> 'id' = $2
          AND coalesce(sold #>> '{price,recurring,usage_type}', sold #>> '{plan,usage_type}') = 'metered')
      OR NOT EXISTS (
        SELECT FROM billing.invoices AS invoice CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
        WHERE invoice.subscription_id = $1 AND coalesce(invoice.status <> 'deleted', true)
          AND coalesce(line.item_id, $2) = $2 AND line.price_id = $3))
$$;

-- Until when an item of a subscription that is `past_due` may be used.
CREATE OR REPLACE FUNCTION billing.past_due_until(
  subscription text, item text, price text, on_dispute text, is_current boolean,
  period_start timestamptz, period_end timestamptz, grace interval)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN NOT $5 THEN coalesce(paid.until, '-infinity')
    WHEN debt.since IS NOT NULL THEN greatest(paid.until, debt.since + $8)
    WHEN billing.is_billed_later($1, $2, $3) THEN $7 + $8
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
  CROSS JOIN LATERAL (SELECT billing.covered_until($1, $2, $3, $4, $6, $7) AS until OFFSET 0) AS paid
  CROSS JOIN LATERAL (SELECT billing.owed_since($1, $2, $3, paid.until) AS since) AS debt
  WHERE owing.id = $1
$$;

-- Prices that a subscription was billed at before, or was seen paid at: of items that have another price now, and of items that
-- were removed. STRICT keeps PostgreSQL from making the query a part of the one that calls it.
CREATE OR REPLACE FUNCTION billing.prices_before(subscription text)
RETURNS TABLE (item_id text, price_id text, product_id text, is_removed boolean)
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 AS $$
  SELECT DISTINCT line.item_id, line.price_id, line.product_id, item.id IS NULL
  FROM billing.invoices AS invoice
  CROSS JOIN LATERAL billing.invoice_lines(invoice.raw) AS line
  LEFT JOIN billing.subscription_items AS item ON item.id = line.item_id AND item.subscription_id = $1
  WHERE invoice.subscription_id = $1 AND invoice.status = 'paid' AND line.item_id IS NOT NULL AND line.price_id IS NOT NULL
    AND CASE WHEN item.id IS NOT NULL
      THEN coalesce(item.quantity, 1) > 0 AND line.price_id <> item.price_id ELSE line.amount >= 0 END
  UNION
  SELECT seen.item_id, seen.price_id, seen.product_id, item.id IS NULL
  FROM billing.items_seen_paid($1) AS seen
  LEFT JOIN billing.subscription_items AS item ON item.id = seen.item_id AND item.subscription_id = $1
  WHERE item.id IS NULL OR coalesce(item.quantity, 1) > 0 AND seen.price_id <> item.price_id
$$;

DROP FUNCTION billing.was_active_in(text, timestamptz);
DROP FUNCTION billing.owed_since(text, text, text);

-- Down Migration
CREATE OR REPLACE FUNCTION billing.was_active_in(subscription text, period_start timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT NOT EXISTS (SELECT FROM billing.invoices
                     WHERE subscription_id = $1 AND status = 'paid' AND billing.has_lines(raw)) AND EXISTS (
    SELECT FROM billing.webhook_events AS event
    CROSS JOIN LATERAL (
      SELECT event.payload #> '{data,object}' AS object, event.payload #> '{data,previous_attributes}' AS previous
    ) AS seen
    WHERE event.object_id = $1 AND event.type LIKE 'customer.subscription.%'
      AND coalesce(object ->> 'collection_method', 'charge_automatically') = 'charge_automatically'
      AND coalesce(jsonb_typeof(object -> 'pause_collection'), 'null') = 'null'
      AND to_timestamp(coalesce(object #>> '{items,data,0,current_period_start}', object ->> 'current_period_start')::float8)
        = $2
      AND CASE object ->> 'status'
        WHEN 'active' THEN event.type = 'customer.subscription.created' OR event.occurred_at > $2 + interval '24 hours'
          OR previous ->> 'status' = 'incomplete'
        -- Until this event it was active, in the same period.
        ELSE previous ->> 'status' = 'active' AND event.occurred_at > $2 + interval '24 hours'
          AND NOT previous ?| ARRAY['items', 'current_period_start', 'pause_collection']
        END)
$$;
CREATE OR REPLACE FUNCTION billing.covered_until(
  subscription text, item text, price text, on_dispute text, period_start timestamptz, period_end timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    billing.paid_until($1, $2, $3, $4),
    CASE WHEN EXISTS (SELECT FROM billing.invoices AS invoice
                      WHERE invoice.subscription_id = $1 AND invoice.status = 'paid' AND NOT billing.has_lines(invoice.raw)
                        AND invoice.created_at >= $5 AND invoice.id NOT IN (SELECT billing.disputed_invoices($1, $4)))
      OR billing.was_active_in($1, $5)
    THEN $6 END)
$$;
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
    AND (NOT billing.has_lines(invoice.raw) OR EXISTS (
      SELECT FROM billing.invoice_lines(invoice.raw) AS line
      WHERE coalesce(line.item_id, $2) = $2 AND line.price_id = $3 AND line.amount > 0))
$$;
CREATE OR REPLACE FUNCTION billing.prices_before(subscription text)
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
CREATE OR REPLACE FUNCTION billing.past_due_until(
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
DROP FUNCTION billing.is_billed_later(text, text, text);
DROP FUNCTION billing.owed_since(text, text, text, timestamptz);
DROP FUNCTION billing.items_seen_paid(text);
