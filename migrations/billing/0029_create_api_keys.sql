-- Up Migration
-- Keys of the HTTP API, and the role that the API works as. New tables only: nothing waits for a lock.
CREATE TABLE billing.api_keys (
  -- Public part of the key: found in lists, logs and the audit log.
  id text PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{12}$'),
  name text NOT NULL,
  -- HMAC-SHA-256 of the whole key under a secret that the database does not have.
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
  -- Null: every project.
  projects text[] CHECK (cardinality(projects) > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  -- The key that it was replaced by.
  rotated_to text REFERENCES billing.api_keys (id),
  -- To the minute: not every request writes.
  last_used_at timestamptz,
  CONSTRAINT revoked_keys_say_by_whom CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);

-- Failed authentications in the window that runs, by address, and by key and address.
CREATE TABLE billing.api_key_failures (
  bucket text PRIMARY KEY,
  failures integer NOT NULL CHECK (failures > 0),
  window_started_at timestamptz NOT NULL
);
CREATE INDEX api_key_failures_by_start ON billing.api_key_failures (window_started_at);

-- The API's sessions take this role: it reads what the API answers with, and writes what authentication records.
-- Roles belong to the server: another database, such as a restored one, may have created it.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing_api') THEN
    BEGIN
      CREATE ROLE billing_api NOLOGIN;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;
      WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the user of the migrations may not create roles'
          USING HINT = 'as an administrator: CREATE ROLE billing_api NOLOGIN; GRANT billing_api TO <user of the migrations>';
    END;
  END IF;
  -- PostgreSQL before 16 knows memberships only as a whole.
  IF current_setting('server_version_num')::int < 160000 THEN
    IF NOT pg_has_role(current_user, 'billing_api', 'MEMBER') THEN
      EXECUTE format('GRANT billing_api TO %I', current_user);
    END IF;
  ELSIF NOT pg_has_role(current_user, 'billing_api', 'SET') THEN
    EXECUTE format('GRANT billing_api TO %I WITH INHERIT FALSE, SET TRUE', current_user);
  END IF;
END $$;
GRANT USAGE ON SCHEMA billing TO billing_api;
GRANT SELECT ON
  billing.entitlements, billing.entitlement_versions, billing.refund_entries, billing.reconciliation_runs, billing.api_keys,
  billing.api_key_failures
  TO billing_api;
-- Not the objects themselves, which hold names and addresses.
GRANT SELECT (id, owner_project_id, status, created_at, ended_at, cancel_at_period_end, currency)
  ON billing.owned_subscriptions TO billing_api;
GRANT SELECT (project_id, status) ON billing.subscriptions TO billing_api;
GRANT SELECT (project_id) ON billing.purchases TO billing_api;
GRANT SELECT (id, owner_project_id, payment_intent_id) ON billing.owned_purchases TO billing_api;
GRANT SELECT (id, subscription_id, payment_intent_id, project_id) ON billing.invoices TO billing_api;
GRANT SELECT (invoice_id, payment_intent_id) ON billing.invoice_payments TO billing_api;
GRANT SELECT (id, payment_intent_id, project_id, status, amount, amount_captured, currency, created_at)
  ON billing.charges TO billing_api;
-- Without the payload, which holds personal data.
GRANT SELECT (id, provider, type, status, attempts, source, occurred_at, received_at, processed_at, object_id)
  ON billing.webhook_events TO billing_api;
GRANT UPDATE (last_used_at) ON billing.api_keys TO billing_api;
GRANT INSERT, UPDATE, DELETE ON billing.api_key_failures TO billing_api;

-- Down Migration
REVOKE ALL ON ALL TABLES IN SCHEMA billing FROM billing_api;
REVOKE USAGE ON SCHEMA billing FROM billing_api;
DROP TABLE billing.api_key_failures;
DROP TABLE billing.api_keys;
