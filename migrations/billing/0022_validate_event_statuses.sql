-- Up Migration
-- Reads the ledger once, while readers and writers continue.
ALTER TABLE billing.webhook_events
  VALIDATE CONSTRAINT webhook_events_status_check,
  VALIDATE CONSTRAINT settled_events_have_a_time,
  VALIDATE CONSTRAINT dismissed_events_say_why;

-- Down Migration
-- Nothing to take back: 0021 removes the constraints.
