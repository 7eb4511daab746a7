-- Up Migration
-- `ignored`: recorded, and nothing else depends on it, such as an event of a type that the platform does not act on; events
-- from before stay `processed`. `dismissed`: an operator decided that an event which cannot be applied need not be. Both are
-- settled, and deleted after their retention as processed ones are. Readers and writers wait while the index is built, which
-- holds open events only: the time of reading the table once, without its payloads where they are stored apart. 0022
-- validates the constraints, which new rows keep from now on.
ALTER TABLE billing.webhook_events
  ADD COLUMN dismissed_by text,
  ADD COLUMN dismissal_reason text,
  DROP CONSTRAINT webhook_events_status_check,
  DROP CONSTRAINT processed_events_have_a_time,
  ADD CONSTRAINT webhook_events_status_check
    CHECK (status IN ('received', 'processing', 'processed', 'ignored', 'failed', 'dismissed')) NOT VALID,
  ADD CONSTRAINT settled_events_have_a_time
    CHECK ((status IN ('processed', 'ignored', 'dismissed')) = (processed_at IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT dismissed_events_say_why CHECK (
    (status = 'dismissed') = (dismissed_by IS NOT NULL) AND (status = 'dismissed') = (dismissal_reason IS NOT NULL)) NOT VALID;
DROP INDEX billing.webhook_events_unprocessed;
CREATE INDEX webhook_events_unprocessed ON billing.webhook_events (status, received_at)
  WHERE status IN ('received', 'processing', 'failed');

-- Down Migration
DROP INDEX billing.webhook_events_unprocessed;
ALTER TABLE billing.webhook_events
  DROP CONSTRAINT webhook_events_status_check,
  DROP CONSTRAINT settled_events_have_a_time,
  DROP CONSTRAINT dismissed_events_say_why,
  DROP COLUMN dismissed_by,
  DROP COLUMN dismissal_reason;
UPDATE billing.webhook_events SET status = 'processed' WHERE status = 'ignored';
UPDATE billing.webhook_events SET status = 'failed', processed_at = NULL WHERE status = 'dismissed';
ALTER TABLE billing.webhook_events
  ADD CONSTRAINT webhook_events_status_check CHECK (status IN ('received', 'processing', 'processed', 'failed')),
  ADD CONSTRAINT processed_events_have_a_time CHECK ((status = 'processed') = (processed_at IS NOT NULL));
CREATE INDEX webhook_events_unprocessed ON billing.webhook_events (status, received_at) WHERE status <> 'processed';
