-- Up Migration
-- The place of an item in the provider's list: when a list of more than ten items arrives cut off, it tells an item that was
-- removed from one beyond the end. Items from before have none until they are stored again; nothing is rewritten. Code from
-- before does not write it.
ALTER TABLE billing.subscription_items ADD COLUMN position integer;

-- Down Migration
ALTER TABLE billing.subscription_items DROP COLUMN position;
