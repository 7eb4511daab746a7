-- Up Migration
-- A run that ran out of time, or was killed, goes on where it stopped: how far it read is saved with every page, in the
-- transaction that stores what the page corrected.
ALTER TABLE billing.reconciliation_runs
  ADD COLUMN progress jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN invocations integer NOT NULL DEFAULT 1 CHECK (invocations > 0),
  ADD COLUMN charges_checked integer NOT NULL DEFAULT 0,
  ADD COLUMN errors integer NOT NULL DEFAULT 0,
  DROP CONSTRAINT reconciliation_runs_status_check,
  DROP CONSTRAINT finished_runs_have_a_time,
  ADD CONSTRAINT reconciliation_runs_status_check CHECK (status IN ('running', 'interrupted', 'complete', 'failed')),
  ADD CONSTRAINT finished_runs_have_a_time CHECK ((status IN ('running', 'interrupted')) = (finished_at IS NULL));

-- What Stripe listed in an unfinished run, to find afterwards what it did not list. Empty between runs. Not an unlogged
-- table: after a crash of the server that would be empty in the middle of a run, and everything would seem unlisted.
CREATE TABLE billing.reconciliation_listed_subscriptions (
  run_id bigint NOT NULL REFERENCES billing.reconciliation_runs (id) ON DELETE CASCADE,
  subscription_id text NOT NULL,
  PRIMARY KEY (run_id, subscription_id)
);

-- Down Migration
DROP TABLE billing.reconciliation_listed_subscriptions;
UPDATE billing.reconciliation_runs
SET status = 'failed', finished_at = now(), error = 'Rolled back before it could go on'
WHERE status = 'interrupted';
ALTER TABLE billing.reconciliation_runs
  DROP CONSTRAINT reconciliation_runs_status_check,
  DROP CONSTRAINT finished_runs_have_a_time,
  ADD CONSTRAINT reconciliation_runs_status_check CHECK (status IN ('running', 'complete', 'failed')),
  ADD CONSTRAINT finished_runs_have_a_time CHECK ((status = 'running') = (finished_at IS NULL)),
  DROP COLUMN errors,
  DROP COLUMN charges_checked,
  DROP COLUMN invocations,
  DROP COLUMN progress;
