-- Up Migration
-- The application's own database. The platform backs it up and proves its restore; its tables are the application's.
CREATE SCHEMA app;

CREATE TABLE app.users (
  id text PRIMARY KEY,
  display_name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE app.projects (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner_id text NOT NULL REFERENCES app.users (id),
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX projects_by_owner ON app.projects (owner_id);

-- Down Migration
DROP SCHEMA app CASCADE;
