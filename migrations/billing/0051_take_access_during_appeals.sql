-- Up Migration
-- A dispute that is appealed is decided once more: `appeal_needs_response`, then `appeal_under_review`. A rule that takes access
-- away as a dispute is opened gave it back meanwhile. The function is replaced; no lock of a table, and code from before works on.
-- Nothing is computed again by this.
CREATE OR REPLACE FUNCTION billing.takes_access(status text, on_dispute text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE on_dispute
    WHEN 'never' THEN false
    WHEN 'on_loss' THEN status = 'lost'
    ELSE status IN ('needs_response', 'under_review', 'appeal_needs_response', 'appeal_under_review', 'lost')
  END
$$;

-- Down Migration
CREATE OR REPLACE FUNCTION billing.takes_access(status text, on_dispute text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE on_dispute
    WHEN 'never' THEN false
    WHEN 'on_loss' THEN status = 'lost'
    ELSE status IN ('needs_response', 'under_review', 'lost')
  END
$$;
