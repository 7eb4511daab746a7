-- Up Migration
-- Apart from 0014, whose lock would also keep readers waiting while the index is built; this one keeps only writers.
-- Webhooks are queued meanwhile, so none is lost or refused.
--
-- Code from before this migration claims events by their id alone and is refused afterwards: its batches wait in the queue
-- until the new code is deployed.
CREATE UNIQUE INDEX webhook_events_by_provider ON billing.webhook_events (provider, id);
ALTER TABLE billing.webhook_events
  DROP CONSTRAINT webhook_events_pkey,
  ADD CONSTRAINT webhook_events_pkey PRIMARY KEY USING INDEX webhook_events_by_provider;

-- Down Migration
-- Fails while two providers have an event of the same id: one of them has to go first.
CREATE UNIQUE INDEX webhook_events_by_id ON billing.webhook_events (id);
ALTER TABLE billing.webhook_events
  DROP CONSTRAINT webhook_events_pkey,
  ADD CONSTRAINT webhook_events_pkey PRIMARY KEY USING INDEX webhook_events_by_id;
