-- Up Migration
-- Money is an integer in the currency's smallest unit, beside its currency. Times are Stripe's, in UTC.
--
-- `version` orders the states of one object: terminal flag, moment in seconds, rank within the second, event id; see
-- lambdas/shared/billing/version.ts. A state is stored only over a smaller version, so any order of delivery, with
-- duplicates and same-second ties, ends in the same row. It is compared byte by byte, hence COLLATE "C".
CREATE SCHEMA billing;

-- The ledger of events: one row per Stripe event, committed together with the event's effect.
CREATE TABLE billing.webhook_events (
  id text PRIMARY KEY,
  type text NOT NULL,
  api_version text,
  livemode boolean NOT NULL,
  source text NOT NULL CHECK (source IN ('webhook', 'reconciliation')),
  status text NOT NULL CHECK (status IN ('received', 'processing', 'processed', 'failed')),
  attempts integer NOT NULL CHECK (attempts > 0),
  error text,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  processed_at timestamptz,
  payload jsonb NOT NULL,
  CONSTRAINT processed_events_have_a_time CHECK ((status = 'processed') = (processed_at IS NOT NULL)),
  CONSTRAINT failed_events_have_an_error CHECK (status <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX webhook_events_by_occurred_at ON billing.webhook_events (occurred_at);
CREATE INDEX webhook_events_unprocessed ON billing.webhook_events (status, received_at) WHERE status <> 'processed';

CREATE TABLE billing.customers (
  id text PRIMARY KEY,
  first_seen_at timestamptz NOT NULL
);

CREATE TABLE billing.subscriptions (
  id text PRIMARY KEY,
  customer_id text NOT NULL REFERENCES billing.customers (id),
  app_id text,
  project_id text,
  user_id text,
  status text NOT NULL,
  currency text NOT NULL,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean NOT NULL,
  cancel_at timestamptz,
  canceled_at timestamptz,
  ended_at timestamptz,
  trial_end timestamptz,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX subscriptions_by_customer ON billing.subscriptions (customer_id);
CREATE INDEX subscriptions_by_user ON billing.subscriptions (user_id, project_id);
CREATE INDEX subscriptions_by_status ON billing.subscriptions (status);

CREATE TABLE billing.subscription_items (
  id text PRIMARY KEY,
  subscription_id text NOT NULL REFERENCES billing.subscriptions (id) ON DELETE CASCADE,
  price_id text NOT NULL,
  product_id text,
  quantity bigint,
  unit_amount bigint,
  currency text NOT NULL,
  recurring_interval text,
  current_period_start timestamptz,
  current_period_end timestamptz
);
CREATE INDEX subscription_items_by_subscription ON billing.subscription_items (subscription_id);

-- `subscription_id` is no foreign key: an invoice may arrive before the subscription that it belongs to.
CREATE TABLE billing.invoices (
  id text PRIMARY KEY,
  customer_id text REFERENCES billing.customers (id),
  subscription_id text,
  status text,
  currency text NOT NULL,
  total bigint NOT NULL,
  amount_due bigint NOT NULL,
  amount_paid bigint NOT NULL,
  amount_remaining bigint NOT NULL,
  attempt_count integer NOT NULL,
  period_start timestamptz,
  period_end timestamptz,
  paid_at timestamptz,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX invoices_by_customer ON billing.invoices (customer_id);
CREATE INDEX invoices_by_subscription ON billing.invoices (subscription_id);

-- Completed checkout sessions. `kind` says what was bought, by the session's metadata.
CREATE TABLE billing.purchases (
  id text PRIMARY KEY,
  customer_id text REFERENCES billing.customers (id),
  app_id text,
  project_id text,
  user_id text,
  kind text NOT NULL CHECK (kind IN ('course', 'path', 'coaching', 'subscription', 'other')),
  item_id text,
  mode text NOT NULL,
  status text,
  payment_status text NOT NULL,
  payment_intent_id text,
  subscription_id text,
  amount_total bigint,
  currency text,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX purchases_by_customer ON billing.purchases (customer_id);
CREATE INDEX purchases_by_user ON billing.purchases (user_id, project_id);
CREATE INDEX purchases_by_payment_intent ON billing.purchases (payment_intent_id);

CREATE TABLE billing.charges (
  id text PRIMARY KEY,
  customer_id text REFERENCES billing.customers (id),
  payment_intent_id text,
  status text NOT NULL,
  amount bigint NOT NULL,
  amount_refunded bigint NOT NULL,
  currency text NOT NULL,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL,
  CONSTRAINT refunds_do_not_exceed_the_charge CHECK (amount_refunded BETWEEN 0 AND amount)
);
CREATE INDEX charges_by_customer ON billing.charges (customer_id);
CREATE INDEX charges_by_payment_intent ON billing.charges (payment_intent_id);

-- Refunds: each row is a running total that Stripe reported for a charge, so a row says the same however often and in
-- whatever order its event arrives. The amount of one refund is the step between two totals; see refund_entries.
CREATE TABLE billing.refund_ledger (
  charge_id text NOT NULL REFERENCES billing.charges (id),
  refunded_total bigint NOT NULL CHECK (refunded_total > 0),
  currency text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (charge_id, refunded_total)
);

CREATE FUNCTION billing.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER refund_ledger_only_grows BEFORE UPDATE OR DELETE ON billing.refund_ledger
  FOR EACH ROW EXECUTE FUNCTION billing.refuse_change();
CREATE TRIGGER refund_ledger_is_never_truncated BEFORE TRUNCATE ON billing.refund_ledger
  FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();

CREATE VIEW billing.refund_entries AS
SELECT charge_id,
       refunded_total - lag(refunded_total, 1, 0::bigint) OVER (PARTITION BY charge_id ORDER BY refunded_total) AS amount,
       currency,
       refunded_total,
       recorded_at
FROM billing.refund_ledger;

-- Down Migration
DROP SCHEMA billing CASCADE;
