-- Up Migration
-- An upgrade that one update made beside an item that it removed stays when the payment for the removed item is lost in a dispute:
-- an item that has a credit of its own replaces no other. The key of a line is STABLE, as `concat_ws` is, which it calls.
--
-- Locks: none of a table. Code from before works on. Nothing is computed again by this: `ops entitlements recompute --all`.

CREATE OR REPLACE FUNCTION billing.line_key(
  invoice text, item text, price text, amount bigint, period_start timestamptz, period_end timestamptz)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT concat_ws('|', $1, $2, $3, $4, extract(epoch FROM $5), extract(epoch FROM $6))
$$;

CREATE OR REPLACE FUNCTION billing.undone_lines(subscription text, on_dispute text) RETURNS SETOF text
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
        SELECT credits.key AS credit, credits.item_id AS credited, charged.item_id, charged.key,
               charged.period_start, charged.period_end
        FROM credits JOIN lines AS charged ON charged.amount >= 0
          AND charged.period_start < credits.period_end AND charged.period_end > credits.period_start
      )
      SELECT key FROM credits
      UNION
      SELECT bought.key FROM bought
      WHERE bought.item_id = bought.credited
        OR NOT EXISTS (SELECT FROM bought AS same WHERE same.credit = bought.credit AND same.item_id = same.credited)
          -- An item that has a credit of its own is no replacement of this one.
          AND NOT EXISTS (SELECT FROM lines AS own WHERE own.amount < 0 AND own.item_id = bought.item_id
                          AND own.period_start < bought.period_end AND own.period_end > bought.period_start));
  END LOOP;
  RETURN QUERY SELECT unnest(undone);
END
$$;

-- Down Migration
CREATE OR REPLACE FUNCTION billing.line_key(
  invoice text, item text, price text, amount bigint, period_start timestamptz, period_end timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT concat_ws('|', $1, $2, $3, $4, extract(epoch FROM $5), extract(epoch FROM $6))
$$;

CREATE OR REPLACE FUNCTION billing.undone_lines(subscription text, on_dispute text) RETURNS SETOF text
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
