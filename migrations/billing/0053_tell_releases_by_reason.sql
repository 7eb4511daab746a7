-- Up Migration
-- Since API version 2025-03-31.basil Stripe makes no refund of what it releases. A refund of money that is just as much as was not
-- captured, such as all of a half that was, was then taken for one: revenue did not count it, and the purchase stayed granted. A
-- refund for which somebody gave a reason is none of what Stripe released by itself.
--
-- A function only: no table is locked, and code from before works on. Nothing is computed again by this:
-- `ops entitlements recompute --all`.

-- The refund of what was authorised and not captured of a charge; null for none. Where nothing was captured, every refund is
-- one, and may have the reason of a cancellation. A function, so that PostgreSQL does not plan it together with what reads the view.
CREATE OR REPLACE FUNCTION billing.release_of(charge text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT refund.id
  FROM billing.charges AS charged
  CROSS JOIN LATERAL (
    SELECT id, amount, reason, created_at FROM billing.refunds WHERE charge_id = charged.id
    UNION ALL
    SELECT id, amount, reason, created_at FROM billing.refunds
    WHERE payment_intent_id = charged.payment_intent_id AND charge_id IS NULL
  ) AS refund
  WHERE charged.id = $1 AND charged.amount_captured < charged.amount
    AND refund.amount = charged.amount - charged.amount_captured
    AND (charged.amount_captured = 0 OR coalesce(refund.reason, 'expired_uncaptured_charge') = 'expired_uncaptured_charge')
  ORDER BY refund.created_at, refund.id LIMIT 1
$$;
-- Figures of revenue read the function's tables themselves.
GRANT SELECT (reason) ON billing.refunds TO billing_api;

-- Down Migration
CREATE OR REPLACE FUNCTION billing.release_of(charge text) RETURNS text
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
REVOKE SELECT (reason) ON billing.refunds FROM billing_api;
