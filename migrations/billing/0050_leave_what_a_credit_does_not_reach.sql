-- Up Migration
-- A credit cuts what it reaches to the end of: where several periods were paid in advance, a change in the first of them took the others
-- away, and a credit for a period that was over took the one that was paid since. docs/entitlements.md has the rule.
--
-- A function only: no table is locked, and code from before works on. Nothing is computed again by this:
-- `ops entitlements recompute --all`.

-- The end of what paid invoices cover of an item at a price; null for nothing. The credit of a later paid invoice cuts what was
-- covered before it, if it reaches to its end. What a dispute took back neither covers nor cuts.
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
    WHERE credit.amount < 0 AND credit.created_at > paid.created_at AND credit.period_end >= paid.period_end)))
  FROM paid
  WHERE amount >= 0
$$;

-- Down Migration
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
