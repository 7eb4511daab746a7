-- Up Migration
-- When each scheduled job that leaves nothing else behind last succeeded, one row for each job: what /health/jobs answers. A new
-- table only: nothing waits for a lock. Older code ignores it.
CREATE TABLE billing.job_successes (
  job text PRIMARY KEY,
  succeeded_at timestamptz NOT NULL
)
-- One of the rows is written every minute: room for the next version on the same page.
WITH (fillfactor = 50);
GRANT SELECT ON billing.job_successes TO billing_api;

-- Down Migration
DROP TABLE billing.job_successes;
