-- Up Migration
-- A check that is null is no refusal. A rule of a plan without a grace was let in, and what it granted never ended; so was
-- an entry of the refund ledger without an amount, which no balance counts. What such a rule granted ends with the next
-- computation: invoke `entitlements` to recompute all of them after this migration.
UPDATE billing.entitlement_rules SET grace = interval '168 hours' WHERE source = 'subscription' AND grace IS NULL;
ALTER TABLE billing.entitlement_rules
  DROP CONSTRAINT rules_match_what_their_source_has,
  ADD CONSTRAINT rules_match_what_their_source_has CHECK (
    CASE source
      WHEN 'subscription' THEN num_nonnulls(price_id, product_id) = 1 AND grace IS NOT NULL AND grace >= interval '0'
        AND num_nonnulls(purchase_kind, item_id) = 0
      ELSE purchase_kind IS NOT NULL AND num_nonnulls(price_id, product_id, grace) = 0
    END);
ALTER TABLE billing.refund_ledger
  DROP CONSTRAINT entries_say_what_their_kind_needs,
  ADD CONSTRAINT entries_say_what_their_kind_needs CHECK (
    CASE kind
      WHEN 'reported' THEN charge_id IS NOT NULL AND refunded_total IS NOT NULL AND refund_id IS NULL AND amount IS NULL
      WHEN 'refunded' THEN refunded_total IS NULL AND refund_id IS NOT NULL AND amount IS NOT NULL AND amount > 0
      ELSE refunded_total IS NULL AND refund_id IS NOT NULL AND amount IS NOT NULL AND amount < 0
    END);

-- Down Migration
ALTER TABLE billing.refund_ledger
  DROP CONSTRAINT entries_say_what_their_kind_needs,
  ADD CONSTRAINT entries_say_what_their_kind_needs CHECK (
    CASE kind
      WHEN 'reported' THEN charge_id IS NOT NULL AND refunded_total IS NOT NULL AND refund_id IS NULL AND amount IS NULL
      WHEN 'refunded' THEN refunded_total IS NULL AND refund_id IS NOT NULL AND amount > 0
      ELSE refunded_total IS NULL AND refund_id IS NOT NULL AND amount < 0
    END);
ALTER TABLE billing.entitlement_rules
  DROP CONSTRAINT rules_match_what_their_source_has,
  ADD CONSTRAINT rules_match_what_their_source_has CHECK (
    CASE source
      WHEN 'subscription' THEN num_nonnulls(price_id, product_id) = 1 AND grace >= interval '0'
        AND num_nonnulls(purchase_kind, item_id) = 0
      ELSE purchase_kind IS NOT NULL AND num_nonnulls(price_id, product_id, grace) = 0
    END);
