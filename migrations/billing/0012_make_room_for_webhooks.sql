-- Up Migration
-- What every webhook writes, made cheaper to write. Nothing is rewritten: rows that are there keep their form.

-- An event of up to 4 kB, as almost all are, is stored as it is. Compressing it cost more than everything else about it,
-- and saved a third of rows that are deleted after their retention anyway. Larger ones are compressed as before.
ALTER TABLE billing.webhook_events SET (toast_tuple_target = 4080);

-- The same of objects. And room is left in each page for the next state of a row in it: a new version in the same page
-- needs no new entry in any index (a HOT update), and a subscription's row is in seven of them.
ALTER TABLE billing.subscriptions SET (toast_tuple_target = 4080, fillfactor = 70);
ALTER TABLE billing.invoices SET (toast_tuple_target = 4080, fillfactor = 85);
ALTER TABLE billing.payment_intents SET (toast_tuple_target = 4080, fillfactor = 85);
ALTER TABLE billing.charges SET (toast_tuple_target = 4080, fillfactor = 85);

-- Most rows name no user, e-mail or payment intent, and nobody looks for those that do not. While the new indexes are built,
-- a few seconds for a million rows, writers wait and readers do not; the old ones go at the end, which takes no time.
CREATE INDEX invoices_by_known_user ON billing.invoices (user_id, project_id) WHERE user_id IS NOT NULL;
CREATE INDEX invoices_by_known_intent ON billing.invoices (payment_intent_id) WHERE payment_intent_id IS NOT NULL;
CREATE INDEX customers_by_known_user ON billing.customers (user_id, project_id) WHERE user_id IS NOT NULL;
CREATE INDEX customers_by_known_email ON billing.customers (email) WHERE email IS NOT NULL;
DROP INDEX billing.invoices_by_user, billing.invoices_by_payment_intent, billing.customers_by_user,
  billing.customers_by_email;
ALTER INDEX billing.invoices_by_known_user RENAME TO invoices_by_user;
ALTER INDEX billing.invoices_by_known_intent RENAME TO invoices_by_payment_intent;
ALTER INDEX billing.customers_by_known_user RENAME TO customers_by_user;
ALTER INDEX billing.customers_by_known_email RENAME TO customers_by_email;

-- Down Migration
DROP INDEX billing.invoices_by_user, billing.invoices_by_payment_intent, billing.customers_by_user,
  billing.customers_by_email;
CREATE INDEX invoices_by_user ON billing.invoices (user_id, project_id);
CREATE INDEX invoices_by_payment_intent ON billing.invoices (payment_intent_id);
CREATE INDEX customers_by_user ON billing.customers (user_id, project_id);
CREATE INDEX customers_by_email ON billing.customers (email);
ALTER TABLE billing.webhook_events RESET (toast_tuple_target);
ALTER TABLE billing.subscriptions RESET (toast_tuple_target, fillfactor);
ALTER TABLE billing.invoices RESET (toast_tuple_target, fillfactor);
ALTER TABLE billing.payment_intents RESET (toast_tuple_target, fillfactor);
ALTER TABLE billing.charges RESET (toast_tuple_target, fillfactor);
