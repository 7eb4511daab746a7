-- Up Migration
-- The refund ledger becomes a set of facts that only grows. Every event adds the same facts whatever came before it, so
-- the ledger is a function of the set of events, not of their order:
--
-- * `refunded`: a refund exists; its amount.
-- * `returned`: that refund failed or was canceled; the same amount, negative. Never without its `refunded`.
-- * `reported`: a charge said that this much of it was refunded in total. It names no refund, so it counts only as far as
--   the refunds that are known by themselves do not explain it (see refund_entries).
DROP VIEW billing.refund_entries;
ALTER TABLE billing.refund_ledger DISABLE TRIGGER refund_ledger_only_grows;
ALTER TABLE billing.refund_ledger
  DROP CONSTRAINT refund_ledger_pkey,
  -- A refund may arrive before its charge.
  DROP CONSTRAINT refund_ledger_charge_id_fkey,
  ALTER COLUMN charge_id DROP NOT NULL,
  ALTER COLUMN refunded_total DROP NOT NULL,
  ADD COLUMN entry text,
  ADD COLUMN kind text NOT NULL DEFAULT 'reported' CHECK (kind IN ('refunded', 'returned', 'reported')),
  ADD COLUMN refund_id text,
  ADD COLUMN amount bigint;
UPDATE billing.refund_ledger SET entry = charge_id || ':' || refunded_total;
ALTER TABLE billing.refund_ledger
  ADD PRIMARY KEY (entry),
  ALTER COLUMN kind DROP DEFAULT,
  ADD CONSTRAINT entries_say_what_their_kind_needs CHECK (
    CASE kind
      WHEN 'reported' THEN charge_id IS NOT NULL AND refunded_total IS NOT NULL AND refund_id IS NULL AND amount IS NULL
      WHEN 'refunded' THEN refunded_total IS NULL AND refund_id IS NOT NULL AND amount > 0
      ELSE refunded_total IS NULL AND refund_id IS NOT NULL AND amount < 0
    END);
ALTER TABLE billing.refund_ledger ENABLE TRIGGER refund_ledger_only_grows;
CREATE INDEX refund_ledger_by_charge ON billing.refund_ledger (charge_id, refunded_total);
CREATE INDEX refund_ledger_by_refund ON billing.refund_ledger (refund_id);

-- The movements of money: what was refunded (positive) and what came back (negative). A total that a charge reported
-- beyond the refunds known by themselves is a movement of its own, one for each step, of kind `unattributed`.
CREATE VIEW billing.refund_entries AS
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

-- What each charge has given back: refunded less returned is the balance, which is what the customer has.
CREATE VIEW billing.refund_balances AS
SELECT charge_id,
       currency,
       coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint AS refunded,
       coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint AS returned,
       sum(amount)::bigint AS balance
FROM billing.refund_entries
WHERE charge_id IS NOT NULL
GROUP BY charge_id, currency;

-- Down Migration
DROP VIEW billing.refund_balances;
DROP VIEW billing.refund_entries;
ALTER TABLE billing.refund_ledger DISABLE TRIGGER refund_ledger_only_grows;
DELETE FROM billing.refund_ledger WHERE kind <> 'reported';
DROP INDEX billing.refund_ledger_by_charge, billing.refund_ledger_by_refund;
ALTER TABLE billing.refund_ledger
  DROP CONSTRAINT entries_say_what_their_kind_needs,
  DROP CONSTRAINT refund_ledger_pkey,
  DROP COLUMN entry,
  DROP COLUMN kind,
  DROP COLUMN refund_id,
  DROP COLUMN amount,
  ALTER COLUMN charge_id SET NOT NULL,
  ALTER COLUMN refunded_total SET NOT NULL,
  ADD PRIMARY KEY (charge_id, refunded_total),
  ADD FOREIGN KEY (charge_id) REFERENCES billing.charges (id);
ALTER TABLE billing.refund_ledger ENABLE TRIGGER refund_ledger_only_grows;
CREATE VIEW billing.refund_entries AS
SELECT charge_id,
       refunded_total - lag(refunded_total, 1, 0::bigint) OVER (PARTITION BY charge_id ORDER BY refunded_total) AS amount,
       currency,
       refunded_total,
       recorded_at
FROM billing.refund_ledger;
