-- Up Migration
-- Objects that have to be read from the provider again soon, because the events that arrived do not say which state is the
-- newest, or not all of it. A row is written in the transaction that noticed; the refresh function reads the object later.
-- No lock on any other table is taken.
CREATE TABLE billing.object_refreshes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  -- As the platform names kinds of objects: `subscription`, `invoice`, `account`, …
  object_kind text NOT NULL,
  object_id text NOT NULL,
  -- The connected account that has the object; null for the platform's own.
  account text,
  -- Such as `undecided_tie`.
  reason text NOT NULL,
  -- How often the refresh was asked for while it was pending. One that reads the object marks the row done only if this
  -- is still what it was before the read: a request that came meanwhile is answered by another read.
  requests integer NOT NULL DEFAULT 1 CHECK (requests > 0),
  requested_at timestamptz NOT NULL DEFAULT now(),
  -- Reads that were tried, and the error of the last one that failed.
  attempts integer NOT NULL DEFAULT 0,
  last_error text,
  done_at timestamptz
);
-- One pending refresh of an object is enough.
CREATE UNIQUE INDEX object_refreshes_pending ON billing.object_refreshes (provider, object_kind, object_id)
  WHERE done_at IS NULL;
CREATE INDEX object_refreshes_oldest ON billing.object_refreshes (requested_at) WHERE done_at IS NULL;

-- Down Migration
DROP TABLE billing.object_refreshes;
