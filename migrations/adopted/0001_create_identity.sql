-- Up Migration
-- The identity of a main database whose schema another tool manages, beside that tool's tables. It touches none of them.
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
