-- Up Migration
-- What drills found, one row each; the same record is in the archive bucket, which outlives this database. Times are
-- milliseconds, sizes bytes. A field is null when the drill did not get that far.
CREATE TABLE operations.drills (
  started_at timestamptz PRIMARY KEY,
  outcome text NOT NULL CHECK (outcome IN ('passed', 'slow', 'failed', 'interrupted')),
  archive_slot timestamptz,
  row_count bigint,
  duration_ms bigint,
  restored_bytes bigint,
  live_bytes bigint,
  projected_ms bigint,
  target_ms bigint NOT NULL,
  error text,
  CONSTRAINT finished_drills_are_measured CHECK (outcome IN ('failed', 'interrupted') OR duration_ms IS NOT NULL),
  CONSTRAINT unfinished_drills_say_why CHECK (outcome IN ('passed', 'slow') OR error IS NOT NULL)
);

-- Rows that were merged back from archives, written in the transaction that merged them.
CREATE TABLE operations.row_recovery_merges (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  report_id text NOT NULL,
  merged_at timestamptz NOT NULL DEFAULT now(),
  merged_by text NOT NULL DEFAULT session_user,
  chosen text NOT NULL,
  inserted bigint NOT NULL,
  updated bigint NOT NULL,
  skipped bigint NOT NULL
);
CREATE INDEX row_recovery_merges_by_report ON operations.row_recovery_merges (report_id);

-- Down Migration
DROP TABLE operations.row_recovery_merges;
DROP TABLE operations.drills;
