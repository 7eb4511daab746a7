-- Up Migration
-- What pays, and who is paid: payment intents, refunds as objects, Connect accounts, and what is known of a customer.
-- As before, `version` orders the states of one object and `raw` keeps the whole object.

ALTER TABLE billing.customers
  ADD COLUMN app_id text,
  ADD COLUMN project_id text,
  ADD COLUMN user_id text,
  ADD COLUMN email text,
  ADD COLUMN name text,
  ADD COLUMN currency text,
  ADD COLUMN delinquent boolean,
  ADD COLUMN deleted boolean NOT NULL DEFAULT false,
  ADD COLUMN created_at timestamptz,
  -- Empty until the customer itself was seen: any state of it is newer.
  ADD COLUMN version text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN raw jsonb;
CREATE INDEX customers_by_user ON billing.customers (user_id, project_id);
CREATE INDEX customers_by_email ON billing.customers (email);

ALTER TABLE billing.invoices
  ADD COLUMN app_id text,
  ADD COLUMN project_id text,
  ADD COLUMN user_id text,
  ADD COLUMN payment_intent_id text;
CREATE INDEX invoices_by_user ON billing.invoices (user_id, project_id);
CREATE INDEX invoices_by_payment_intent ON billing.invoices (payment_intent_id);

ALTER TABLE billing.charges
  ADD COLUMN app_id text,
  ADD COLUMN project_id text,
  ADD COLUMN user_id text;
CREATE INDEX charges_by_user ON billing.charges (user_id, project_id);

-- Reports by project: active subscriptions, revenue.
CREATE INDEX subscriptions_by_project ON billing.subscriptions (project_id, status);
CREATE INDEX purchases_by_project ON billing.purchases (project_id, created_at);

CREATE TABLE billing.payment_intents (
  id text PRIMARY KEY,
  customer_id text REFERENCES billing.customers (id),
  app_id text,
  project_id text,
  user_id text,
  status text NOT NULL,
  amount bigint NOT NULL,
  amount_received bigint NOT NULL,
  currency text NOT NULL,
  latest_charge_id text,
  invoice_id text,
  failure_code text,
  failure_message text,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX payment_intents_by_customer ON billing.payment_intents (customer_id);
CREATE INDEX payment_intents_by_user ON billing.payment_intents (user_id, project_id);
CREATE INDEX payment_intents_by_charge ON billing.payment_intents (latest_charge_id);

-- `charge_id` is no foreign key: a refund may arrive before the charge that it refunds.
CREATE TABLE billing.refunds (
  id text PRIMARY KEY,
  charge_id text,
  payment_intent_id text,
  status text NOT NULL,
  amount bigint NOT NULL CHECK (amount >= 0),
  currency text NOT NULL,
  reason text,
  failure_reason text,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX refunds_by_charge ON billing.refunds (charge_id);
CREATE INDEX refunds_by_payment_intent ON billing.refunds (payment_intent_id);

-- Accounts that are paid out to (coaches). A restricted one is not paid out until its owner completes what is due.
CREATE TABLE billing.connect_accounts (
  id text PRIMARY KEY,
  app_id text,
  project_id text,
  user_id text,
  charges_enabled boolean NOT NULL,
  payouts_enabled boolean NOT NULL,
  details_submitted boolean NOT NULL,
  restricted boolean NOT NULL,
  disabled_reason text,
  requirements_due text[] NOT NULL,
  created_at timestamptz,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX connect_accounts_by_user ON billing.connect_accounts (user_id, project_id);
CREATE INDEX connect_accounts_restricted ON billing.connect_accounts (id) WHERE restricted;

-- Down Migration
DROP TABLE billing.connect_accounts, billing.refunds, billing.payment_intents;
DROP INDEX billing.subscriptions_by_project, billing.purchases_by_project, billing.charges_by_user,
  billing.invoices_by_user, billing.invoices_by_payment_intent, billing.customers_by_user, billing.customers_by_email;
ALTER TABLE billing.charges DROP COLUMN app_id, DROP COLUMN project_id, DROP COLUMN user_id;
ALTER TABLE billing.invoices DROP COLUMN app_id, DROP COLUMN project_id, DROP COLUMN user_id, DROP COLUMN payment_intent_id;
ALTER TABLE billing.customers
  DROP COLUMN app_id, DROP COLUMN project_id, DROP COLUMN user_id, DROP COLUMN email, DROP COLUMN name,
  DROP COLUMN currency, DROP COLUMN delinquent, DROP COLUMN deleted, DROP COLUMN created_at, DROP COLUMN version,
  DROP COLUMN raw;
