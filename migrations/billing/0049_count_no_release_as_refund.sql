-- Up Migration
-- What is authorised and not captured is released, by a part that was captured, a cancellation or its expiry. Stripe makes a refund
-- of it, which moved no money: it counted as one in revenue, and with a later refund of a part it took a purchase away. The refund
-- of a release is the first one of just the amount that was not captured.
--
-- The view has the columns and names of before, and is replaced at once; queries of it wait for each other that long. Code from
-- before works on. Nothing is computed again by this: `ops entitlements recompute --all`.

-- The refund of what was authorised and not captured of a charge; null for none. A function, so that PostgreSQL does not plan it
-- together with what reads the view.
CREATE FUNCTION billing.release_of(charge text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT refund.id
  FROM billing.charges AS charged
  CROSS JOIN LATERAL (
    SELECT id, amount, created_at FROM billing.refunds WHERE charge_id = charged.id
    UNION ALL
    SELECT id, amount, created_at FROM billing.refunds
    WHERE payment_intent_id = charged.payment_intent_id AND charge_id IS NULL
  ) AS refund
  WHERE charged.id = $1 AND charged.amount_captured < charged.amount
    AND refund.amount = charged.amount - charged.amount_captured
  ORDER BY refund.created_at, refund.id LIMIT 1
$$;
-- Figures of revenue read the view, and with the function what it reads.
GRANT SELECT (id, charge_id, payment_intent_id, amount, created_at) ON billing.refunds TO billing_api;

CREATE OR REPLACE VIEW billing.refund_entries AS
WITH attributed AS NOT MATERIALIZED (
  SELECT entry.* FROM (
    SELECT charge_id, refund_id, kind, amount, currency, recorded_at
    FROM billing.refund_ledger
    WHERE kind <> 'reported' AND charge_id IS NOT NULL
    UNION ALL
    SELECT charge.id, entry.refund_id, entry.kind, entry.amount, entry.currency, entry.recorded_at
    FROM billing.charges AS charge
    JOIN billing.refunds AS refund ON refund.payment_intent_id = charge.payment_intent_id AND refund.charge_id IS NULL
    JOIN billing.refund_ledger AS entry ON entry.refund_id = refund.id AND entry.charge_id IS NULL
    WHERE charge.status = 'succeeded'
  ) AS entry
  WHERE entry.refund_id IS DISTINCT FROM billing.release_of(entry.charge_id)
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

-- Down Migration
CREATE OR REPLACE VIEW billing.refund_entries AS
WITH attributed AS NOT MATERIALIZED (
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
REVOKE SELECT (id, charge_id, payment_intent_id, amount, created_at) ON billing.refunds FROM billing_api;
DROP FUNCTION billing.release_of(text);
