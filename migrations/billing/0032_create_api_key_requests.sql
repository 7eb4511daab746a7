-- Up Migration
-- Requests that instances of the API have taken of the minute of a key, one row for each key that was used: its limit holds for
-- all instances together. A new table only: nothing waits for a lock. Older code ignores it.
CREATE TABLE billing.api_key_requests (
  key_id text PRIMARY KEY REFERENCES billing.api_keys (id) ON DELETE CASCADE,
  minute timestamptz NOT NULL,
  taken integer NOT NULL CHECK (taken > 0)
)
-- Its rows are written again and again: room for the next version on the same page.
WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON billing.api_key_requests TO billing_api;

-- Down Migration
DROP TABLE billing.api_key_requests;
