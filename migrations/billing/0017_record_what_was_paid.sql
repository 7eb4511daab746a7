-- Up Migration
-- What decides about access besides a subscription's status: who it belongs to when its own metadata does not say, how it
-- is collected, whether collection is paused, which payment paid an invoice, and what a bank took back.

-- The object that an event is about: finds the other events of the same object, for those of one second and for the first
-- failed payment of an invoice. Events from before have none; nothing is rewritten.
ALTER TABLE billing.webhook_events ADD COLUMN object_id text;
CREATE INDEX webhook_events_by_object ON billing.webhook_events (object_id, occurred_at) WHERE object_id IS NOT NULL;

-- `defaulted` lists the owner columns that hold a default because the object itself names none: what another object says
-- of them counts more.
ALTER TABLE billing.subscriptions
  ADD COLUMN defaulted text[],
  ADD COLUMN collection_method text,
  ADD COLUMN days_until_due integer,
  ADD COLUMN pause_behavior text,
  ADD COLUMN pause_resumes_at timestamptz;
ALTER TABLE billing.purchases ADD COLUMN defaulted text[], ADD COLUMN client_reference_id text;
ALTER TABLE billing.customers ADD COLUMN defaulted text[];
CREATE INDEX purchases_by_subscription ON billing.purchases (subscription_id) WHERE subscription_id IS NOT NULL;

-- What was really taken: less than `amount` when only a part of an authorisation was captured. Null: all of it.
ALTER TABLE billing.charges ADD COLUMN amount_captured bigint;

-- Since 2025 the payment of an invoice is an object of its own, and invoices no longer name it.
CREATE TABLE billing.invoice_payments (
  id text PRIMARY KEY,
  invoice_id text NOT NULL,
  payment_intent_id text,
  status text NOT NULL,
  amount_paid bigint,
  currency text NOT NULL,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX invoice_payments_by_invoice ON billing.invoice_payments (invoice_id);
CREATE INDEX invoice_payments_by_payment_intent ON billing.invoice_payments (payment_intent_id);

CREATE TABLE billing.disputes (
  id text PRIMARY KEY,
  charge_id text,
  payment_intent_id text,
  status text NOT NULL,
  amount bigint NOT NULL,
  currency text NOT NULL,
  reason text,
  evidence_due_at timestamptz,
  -- Taken from the balance now: what was withdrawn less what was reinstated.
  withdrawn bigint NOT NULL,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX disputes_by_charge ON billing.disputes (charge_id);
CREATE INDEX disputes_by_payment_intent ON billing.disputes (payment_intent_id);
CREATE INDEX disputes_to_answer ON billing.disputes (evidence_due_at)
  WHERE status IN ('needs_response', 'warning_needs_response');

CREATE TABLE billing.early_fraud_warnings (
  id text PRIMARY KEY,
  charge_id text,
  payment_intent_id text,
  actionable boolean NOT NULL,
  fraud_type text,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX early_fraud_warnings_by_charge ON billing.early_fraud_warnings (charge_id);

-- Subscriptions of which an invoice's payment was ever disputed: almost none, so that looking costs others nothing.
CREATE TABLE billing.disputed_subscriptions (
  subscription_id text NOT NULL,
  dispute_id text NOT NULL,
  PRIMARY KEY (subscription_id, dispute_id)
);
CREATE INDEX disputed_subscriptions_by_dispute ON billing.disputed_subscriptions (dispute_id);

-- What an operator said a paid object belongs to, when nothing else names an owner. It counts before everything else.
CREATE TABLE billing.owner_assignments (
  object_id text PRIMARY KEY,
  app_id text,
  project_id text,
  user_id text,
  reason text NOT NULL,
  assigned_by text NOT NULL DEFAULT session_user,
  assigned_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT assignments_name_an_owner CHECK (num_nonnulls(app_id, project_id, user_id) > 0)
);

ALTER TABLE billing.entitlement_rules
  -- For subscriptions that are invoiced; null: the same grace.
  ADD COLUMN grace_send_invoice interval CHECK (grace_send_invoice >= interval '0'),
  -- `paid` or `granted`; null: by the behavior of the pause.
  ADD COLUMN while_paused text CHECK (while_paused IN ('paid', 'granted')),
  ADD COLUMN on_dispute text NOT NULL DEFAULT 'on_loss' CHECK (on_dispute IN ('at_once', 'on_loss', 'never'));

-- Down Migration
ALTER TABLE billing.entitlement_rules DROP COLUMN grace_send_invoice, DROP COLUMN while_paused, DROP COLUMN on_dispute;
DROP TABLE billing.owner_assignments, billing.disputed_subscriptions, billing.early_fraud_warnings, billing.disputes,
  billing.invoice_payments;
ALTER TABLE billing.charges DROP COLUMN amount_captured;
DROP INDEX billing.purchases_by_subscription;
ALTER TABLE billing.customers DROP COLUMN defaulted;
ALTER TABLE billing.purchases DROP COLUMN defaulted, DROP COLUMN client_reference_id;
ALTER TABLE billing.subscriptions
  DROP COLUMN defaulted, DROP COLUMN collection_method, DROP COLUMN days_until_due, DROP COLUMN pause_behavior,
  DROP COLUMN pause_resumes_at;
DROP INDEX billing.webhook_events_by_object;
ALTER TABLE billing.webhook_events DROP COLUMN object_id;
