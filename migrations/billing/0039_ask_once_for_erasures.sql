-- Up Migration
-- Whether anyone was erased at all is asked once for a transaction that writes events, and not for each event of it. Until the
-- first erasure the trigger of the ledger's rows is then not called.
--
-- The answer holds until the transaction ends: an erasure waits for every transaction that has an id when its tombstones are
-- committed, and goes through the tables after that. So the transaction takes its id first and looks then. It sees the
-- tombstones, or the erasure waits for it. (A row's own look came before the id of a transaction that had written nothing yet:
-- an erasure between the two would not have waited.) That holds for READ COMMITTED, in which everything here writes: a
-- transaction of a higher level looks with the snapshot of its first statement.
--
-- Locks: SHARE ROW EXCLUSIVE of the ledger and of `erased_subjects`, for the moment that CREATE TRIGGER takes; readers pass,
-- writers wait; taking it back, ACCESS EXCLUSIVE of both, for a moment as well. Older code goes on as before.
CREATE FUNCTION billing.look_for_erasures() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_current_xact_id();
  -- A statement of its own: its snapshot is taken behind the id.
  IF NOT EXISTS (SELECT FROM billing.erased_subjects) THEN PERFORM set_config('erasure.subjects', 'none', true); END IF;
  RETURN NULL;
END $$;

-- Of the same transaction, a tombstone is an answer as well.
CREATE FUNCTION billing.look_again_for_erasures() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM set_config('erasure.subjects', '', true);
  RETURN NULL;
END $$;

CREATE TRIGGER looks_for_erasures
BEFORE INSERT OR UPDATE OF provider, object_id, payload, error, dismissal_reason ON billing.webhook_events
FOR EACH STATEMENT WHEN (current_setting('erasure.subjects', true) IS DISTINCT FROM 'none')
EXECUTE FUNCTION billing.look_for_erasures();
CREATE OR REPLACE TRIGGER forgets_erased
BEFORE INSERT OR UPDATE OF provider, object_id, payload, error, dismissal_reason ON billing.webhook_events
FOR EACH ROW WHEN (current_setting('erasure.subjects', true) IS DISTINCT FROM 'none')
EXECUTE FUNCTION billing.forget_erased();
CREATE TRIGGER looks_again_for_erasures AFTER INSERT ON billing.erased_subjects
FOR EACH STATEMENT EXECUTE FUNCTION billing.look_again_for_erasures();
REVOKE ALL ON FUNCTION billing.look_for_erasures(), billing.look_again_for_erasures() FROM PUBLIC;

-- Down Migration
CREATE OR REPLACE TRIGGER forgets_erased
BEFORE INSERT OR UPDATE OF provider, object_id, payload, error, dismissal_reason ON billing.webhook_events
FOR EACH ROW EXECUTE FUNCTION billing.forget_erased();
DROP TRIGGER looks_for_erasures ON billing.webhook_events;
DROP TRIGGER looks_again_for_erasures ON billing.erased_subjects;
DROP FUNCTION billing.look_for_erasures(), billing.look_again_for_erasures();
