-- Up Migration
-- Reconciliation compares every kind of object. What Stripe showed in an unfinished run is kept by kind, to find afterwards
-- what it did not show. Empty between runs; a run that was under way starts its comparison again.
DROP TABLE billing.reconciliation_listed_subscriptions;
CREATE TABLE billing.reconciliation_listed_objects (
  run_id bigint NOT NULL REFERENCES billing.reconciliation_runs (id) ON DELETE CASCADE,
  kind text NOT NULL,
  object_id text NOT NULL,
  PRIMARY KEY (run_id, kind, object_id)
);
UPDATE billing.reconciliation_runs
SET status = 'failed', finished_at = now(), error = 'Interrupted by an upgrade'
WHERE status IN ('running', 'interrupted');

-- Objects compared and objects that differed, by kind: {"invoice": {"checked": 120, "drift": 1}}.
ALTER TABLE billing.reconciliation_runs ADD COLUMN kinds jsonb NOT NULL DEFAULT '{}';

-- Finds what was created in a window. Rows come about in this order, so a summary of each range of pages is enough, and
-- costs a new row nothing.
CREATE INDEX customers_by_creation ON billing.customers USING brin (created_at);
CREATE INDEX invoices_by_creation ON billing.invoices USING brin (created_at);
CREATE INDEX purchases_by_creation ON billing.purchases USING brin (created_at);
CREATE INDEX payment_intents_by_creation ON billing.payment_intents USING brin (created_at);
CREATE INDEX charges_by_creation ON billing.charges USING brin (created_at);
CREATE INDEX refunds_by_creation ON billing.refunds USING brin (created_at);
CREATE INDEX invoice_payments_by_creation ON billing.invoice_payments USING brin (created_at);
CREATE INDEX disputes_by_creation ON billing.disputes USING brin (created_at);
CREATE INDEX early_fraud_warnings_by_creation ON billing.early_fraud_warnings USING brin (created_at);

-- Down Migration
DROP INDEX billing.early_fraud_warnings_by_creation, billing.disputes_by_creation, billing.invoice_payments_by_creation,
  billing.refunds_by_creation, billing.charges_by_creation, billing.payment_intents_by_creation,
  billing.purchases_by_creation, billing.invoices_by_creation, billing.customers_by_creation;
ALTER TABLE billing.reconciliation_runs DROP COLUMN kinds;
UPDATE billing.reconciliation_runs
SET status = 'failed', finished_at = now(), error = 'Rolled back before it could go on'
WHERE status IN ('running', 'interrupted');
DROP TABLE billing.reconciliation_listed_objects;
CREATE TABLE billing.reconciliation_listed_subscriptions (
  run_id bigint NOT NULL REFERENCES billing.reconciliation_runs (id) ON DELETE CASCADE,
  subscription_id text NOT NULL,
  PRIMARY KEY (run_id, subscription_id)
);
