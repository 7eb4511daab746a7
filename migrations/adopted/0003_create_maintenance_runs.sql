-- Up Migration
-- What maintenance did, one row for each task, written when it begins: one that was killed stays `running` until the next run
-- marks it. Its result is the JSON that `ops maintenance show` prints. Takes no lock on any other table; older code ignores it.
CREATE TABLE operations.maintenance_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  outcome text NOT NULL CHECK (outcome IN ('running', 'done', 'partial', 'failed', 'interrupted')),
  result jsonb,
  error text,
  CONSTRAINT finished_tasks_have_a_result CHECK (outcome NOT IN ('done', 'partial') OR (result IS NOT NULL AND finished_at IS NOT NULL)),
  CONSTRAINT failed_tasks_say_why CHECK (outcome <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX maintenance_runs_by_task ON operations.maintenance_runs (task, started_at);

-- Down Migration
DROP TABLE operations.maintenance_runs;
