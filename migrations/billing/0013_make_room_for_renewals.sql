-- Up Migration
-- Every renewal moves the period of a subscription's items, and with it until when its entitlements are valid. Room is left
-- in each page for the next state of a row in it, as 0012 left it to subscriptions: the row then keeps its place in every
-- index. Nothing is rewritten: rows that are there keep their form.
ALTER TABLE billing.subscription_items SET (fillfactor = 70);
ALTER TABLE billing.entitlements SET (fillfactor = 70);
ALTER TABLE billing.entitlement_versions SET (fillfactor = 70);

-- Down Migration
ALTER TABLE billing.subscription_items RESET (fillfactor);
ALTER TABLE billing.entitlements RESET (fillfactor);
ALTER TABLE billing.entitlement_versions RESET (fillfactor);
