-- Up Migration
-- Event ids are unique for one provider only. Every event that is there came from Stripe; new ones name their provider.
-- A constant default is kept in the catalogue: no row is written, whatever the size of the table.
ALTER TABLE billing.webhook_events ADD COLUMN provider text NOT NULL DEFAULT 'stripe';

-- Down Migration
ALTER TABLE billing.webhook_events DROP COLUMN provider;
