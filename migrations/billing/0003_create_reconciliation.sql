-- Up Migration
-- A run is `complete` only when everything was compared; one that hit an error is `failed` and keeps the error.
CREATE TABLE billing.reconciliation_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('running', 'complete', 'failed')),
  dry_run boolean NOT NULL,
  window_start timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  events_checked integer NOT NULL DEFAULT 0,
  events_missed integer NOT NULL DEFAULT 0,
  subscriptions_checked integer NOT NULL DEFAULT 0,
  purchases_checked integer NOT NULL DEFAULT 0,
  drift_detected integer NOT NULL DEFAULT 0,
  corrected integer NOT NULL DEFAULT 0,
  error text,
  CONSTRAINT finished_runs_have_a_time CHECK ((status = 'running') = (finished_at IS NULL)),
  CONSTRAINT failed_runs_have_an_error CHECK (status <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX reconciliation_runs_by_start ON billing.reconciliation_runs (started_at);

CREATE TABLE billing.reconciliation_findings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id bigint NOT NULL REFERENCES billing.reconciliation_runs (id),
  kind text NOT NULL CHECK (kind IN ('missed_event', 'missing_locally', 'missing_at_stripe', 'field_differs')),
  object_type text NOT NULL,
  object_id text NOT NULL,
  field text,
  local_value text,
  stripe_value text,
  corrected boolean NOT NULL
);
CREATE INDEX reconciliation_findings_by_run ON billing.reconciliation_findings (run_id);
CREATE INDEX reconciliation_findings_by_object ON billing.reconciliation_findings (object_id);

-- Down Migration
DROP TABLE billing.reconciliation_findings;
DROP TABLE billing.reconciliation_runs;
