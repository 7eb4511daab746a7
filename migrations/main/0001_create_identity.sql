-- Up Migration
-- Every database carries its identity. The migrate and restore functions compare it with the database they were asked
-- for and refuse a mismatch before any statement runs, so a billing migration can never reach the main database.
CREATE SCHEMA IF NOT EXISTS operations;

CREATE TABLE operations.database_identity (
  name text NOT NULL,
  stamped_at timestamptz NOT NULL DEFAULT now(),
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  CONSTRAINT database_identity_is_main CHECK (name = 'main')
);

INSERT INTO operations.database_identity (name) VALUES ('main');

-- Down Migration
DROP TABLE operations.database_identity;
