-- Up Migration
-- One name for row recovery, in code and database. Renaming writes no row.
ALTER TABLE operations.row_merges RENAME TO row_recovery_merges;
ALTER TABLE operations.row_recovery_merges RENAME CONSTRAINT row_merges_pkey TO row_recovery_merges_pkey;
ALTER SEQUENCE operations.row_merges_id_seq RENAME TO row_recovery_merges_id_seq;
ALTER INDEX operations.row_merges_by_report RENAME TO row_recovery_merges_by_report;

-- Down Migration
ALTER INDEX operations.row_recovery_merges_by_report RENAME TO row_merges_by_report;
ALTER SEQUENCE operations.row_recovery_merges_id_seq RENAME TO row_merges_id_seq;
ALTER TABLE operations.row_recovery_merges RENAME CONSTRAINT row_recovery_merges_pkey TO row_merges_pkey;
ALTER TABLE operations.row_recovery_merges RENAME TO row_merges;
