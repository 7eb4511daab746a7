-- Up Migration
-- What connected accounts (coaches) are paid: payouts to their bank, and transfers to them. Writers of object_refreshes wait
-- while an empty partial index on it is built: it holds what the last weeks asked for, a second for a million rows. Code from
-- before stores nothing here, and records the events as ignored.
CREATE TABLE billing.payouts (
  id text PRIMARY KEY,
  -- Null: the platform's own.
  account_id text,
  -- `pending`, `in_transit`, `paid`, `failed` or `canceled`; one that was paid may still fail.
  status text NOT NULL,
  -- Negative where the bank account is debited.
  amount bigint NOT NULL,
  currency text NOT NULL,
  method text,
  automatic boolean,
  -- Null where the provider names no day.
  arrives_at timestamptz,
  failure_code text,
  failure_message text,
  -- The failed payout that an operator repeated with this one.
  retry_of text,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX payouts_by_account ON billing.payouts (coalesce(account_id, ''), created_at);
CREATE INDEX payouts_by_creation ON billing.payouts (created_at);
CREATE INDEX payouts_under_way ON billing.payouts (arrives_at) WHERE status IN ('pending', 'in_transit');
CREATE INDEX payouts_by_failed ON billing.payouts (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX payouts_failed ON billing.payouts (created_at) WHERE status = 'failed';

CREATE TABLE billing.transfers (
  id text PRIMARY KEY,
  account_id text,
  charge_id text,
  amount bigint NOT NULL CHECK (amount >= 0),
  amount_reversed bigint NOT NULL CHECK (amount_reversed >= 0),
  currency text NOT NULL,
  created_at timestamptz NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX transfers_by_account ON billing.transfers (account_id, created_at);

-- When a late payout was read last.
CREATE INDEX object_refreshes_of_payouts ON billing.object_refreshes (object_id) WHERE object_kind = 'payout';

-- Failed payouts that nothing replaced: none that was not canceled repeats it, and no later payout of the same account in the same currency is under
-- way or paid. Stripe returns the amount to the balance, which the next payout takes along.
CREATE VIEW billing.open_payout_failures AS
SELECT failed.id, failed.account_id, failed.amount, failed.currency, failed.failure_code, failed.created_at
FROM billing.payouts AS failed
WHERE failed.status = 'failed'
  AND NOT EXISTS (
    SELECT FROM billing.payouts AS retry WHERE retry.retry_of = failed.id AND retry.status <> 'canceled')
  AND NOT EXISTS (
    SELECT FROM billing.payouts AS later
    WHERE coalesce(later.account_id, '') = coalesce(failed.account_id, '') AND later.created_at > failed.created_at
      AND later.currency = failed.currency AND later.status IN ('pending', 'in_transit', 'paid'));

-- Attempts to repeat a failed payout. A row is written before Stripe is asked, so that an attempt whose answer was lost is made
-- again under the same idempotency key.
CREATE TABLE billing.payout_retries (
  payout_id text NOT NULL,
  attempt integer NOT NULL CHECK (attempt > 0),
  -- `requested`, `created`, or `refused` by Stripe for good; also when the payout that it made was canceled.
  status text NOT NULL CHECK (status IN ('requested', 'created', 'refused')),
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  new_payout_id text,
  error text,
  PRIMARY KEY (payout_id, attempt),
  CONSTRAINT created_retries_name_their_payout CHECK ((status = 'created') = (new_payout_id IS NOT NULL))
);
-- One attempt at a time.
CREATE UNIQUE INDEX payout_retries_open ON billing.payout_retries (payout_id) WHERE status <> 'refused';

-- Down Migration
DROP TABLE billing.payout_retries;
DROP INDEX billing.object_refreshes_of_payouts;
DROP VIEW billing.open_payout_failures;
DROP TABLE billing.transfers, billing.payouts;
