import type { Statement } from '../database/transaction';

/**
 * Advisory lock of the rules: shared by every transaction that computes entitlements, exclusive to the one that changes the
 * rules. Any constant that nothing else in the billing database uses.
 */
const RULES_LOCK = 7_303_015;

/**
 * Payment intents of the charges and invoice payments among the given ids, and of the charges whose refunds or disputes are
 * among them.
 *
 * Here and below, `OFFSET 0` makes PostgreSQL look rows up one at a time instead of joining: the plan of a join that was
 * made while the tables were empty, and is kept with the connection, reads all of them as they fill.
 */
const chargedIntents = (ids: string) => `
  SELECT charge.payment_intent_id FROM unnest(${ids}) AS changed (id)
  CROSS JOIN LATERAL (
    SELECT payment_intent_id FROM billing.charges WHERE id = changed.id
    UNION ALL
    SELECT charge.payment_intent_id FROM billing.refunds AS refund
    CROSS JOIN LATERAL (SELECT payment_intent_id FROM billing.charges WHERE id = refund.charge_id OFFSET 0) AS charge
    WHERE refund.id = changed.id
    UNION ALL
    SELECT payment_intent_id FROM billing.refunds WHERE id = changed.id
    UNION ALL
    SELECT payment_intent_id FROM billing.disputes WHERE id = changed.id
    UNION ALL
    SELECT charge.payment_intent_id FROM billing.disputes AS dispute
    CROSS JOIN LATERAL (SELECT payment_intent_id FROM billing.charges WHERE id = dispute.charge_id OFFSET 0) AS charge
    WHERE dispute.id = changed.id
    UNION ALL
    SELECT payment_intent_id FROM billing.invoice_payments WHERE id = changed.id
    OFFSET 0
  ) AS charge`;

/** Locks the keys of `intents`, below; the rules with them. */
const LOCKED_KEYS = `keys AS (
  SELECT DISTINCT hashtextextended(payment_intent_id, 0) AS key FROM intents
  WHERE payment_intent_id IS NOT NULL ORDER BY key
)
SELECT (SELECT count(*) FROM rules) AS rules, count(pg_advisory_xact_lock(key)) AS intents FROM keys`;

/**
 * Serialises the transactions that touch the same payments, subscriptions or customers. $1: subscriptions and customers
 * that the changed objects are or belong to, $2: ids of changed purchases, charges, refunds, disputes and invoice payments.
 *
 * A purchase and its refund, or a subscription and its invoices, are rows of different tables, so two transactions that
 * store one each would not see each other's row, and both would leave the purchase granted. The locks make one wait. They
 * are taken in the order of their keys and released by the commit.
 */
export const LOCK_SOURCES: Statement = {
  name: 'lock_entitlement_sources',
  text: `
WITH rules AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${RULES_LOCK})),
intents AS (
  SELECT paid.payment_intent_id FROM unnest((SELECT $2::text[])) AS changed (id)
  CROSS JOIN LATERAL (SELECT payment_intent_id FROM billing.purchases WHERE id = changed.id OFFSET 0) AS paid
  UNION
  ${chargedIntents('(SELECT $2::text[])')}
  UNION
  SELECT unnest((SELECT $1::text[]))
), ${LOCKED_KEYS}`,
};

/** {@link LOCK_SOURCES} where no payment changed. $1 is the same. */
export const LOCK_TURNS: Statement = {
  name: 'lock_entitlement_turns',
  text: `
WITH rules AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${RULES_LOCK})),
intents AS (
  SELECT unnest((SELECT $1::text[])) AS payment_intent_id
), ${LOCKED_KEYS}`,
};

/**
 * Remembers the subscriptions of which an invoice's payment is disputed, whichever of dispute, payment and invoice comes
 * last. $1: ids of changed disputes, invoice payments and invoices.
 */
export const LINK_DISPUTES: Statement = {
  name: 'link_disputes',
  text: `
INSERT INTO billing.disputed_subscriptions (subscription_id, dispute_id)
SELECT DISTINCT invoice.subscription_id, dispute.id
FROM unnest((SELECT $1::text[])) AS changed (id)
CROSS JOIN LATERAL (
  SELECT payment_intent_id FROM billing.disputes WHERE id = changed.id
  UNION ALL
  SELECT charge.payment_intent_id FROM billing.disputes AS dispute
  CROSS JOIN LATERAL (SELECT payment_intent_id FROM billing.charges WHERE id = dispute.charge_id OFFSET 0) AS charge
  WHERE dispute.id = changed.id
  UNION ALL
  SELECT payment_intent_id FROM billing.invoice_payments WHERE id = changed.id
  UNION ALL
  SELECT payment_intent_id FROM billing.invoice_payments WHERE invoice_id = changed.id
  UNION ALL
  SELECT payment_intent_id FROM billing.invoices WHERE id = changed.id
  OFFSET 0
) AS intent
CROSS JOIN LATERAL (
  SELECT id FROM billing.disputes WHERE payment_intent_id = intent.payment_intent_id
  UNION
  SELECT disputed.id FROM billing.charges AS charge
  CROSS JOIN LATERAL (SELECT id FROM billing.disputes WHERE charge_id = charge.id OFFSET 0) AS disputed
  WHERE charge.payment_intent_id = intent.payment_intent_id
  OFFSET 0
) AS dispute
CROSS JOIN LATERAL (
  SELECT subscription_id FROM billing.invoices WHERE payment_intent_id = intent.payment_intent_id
  UNION ALL
  SELECT paid.subscription_id FROM billing.invoice_payments AS payment
  CROSS JOIN LATERAL (SELECT subscription_id FROM billing.invoices WHERE id = payment.invoice_id OFFSET 0) AS paid
  WHERE payment.payment_intent_id = intent.payment_intent_id
  OFFSET 0
) AS invoice
WHERE invoice.subscription_id IS NOT NULL AND EXISTS (SELECT FROM billing.disputes)
ON CONFLICT DO NOTHING`,
};

/** Waits for the transactions that compute entitlements, and makes later ones wait until the commit. */
export const LOCK_RULES: Statement = {
  name: 'lock_entitlement_rules',
  text: `SELECT pg_advisory_xact_lock(${RULES_LOCK})`,
};

/**
 * Subscriptions of changed invoices that grant by what was paid: the others, which are almost all, grant the same whatever
 * becomes of the invoice. $1: subscriptions. This and the statements below run behind the locks, and return `id`.
 */
export const FIND_BILLED: Statement = {
  name: 'find_billed_subscriptions',
  text: `
SELECT subscription.id FROM unnest((SELECT $1::text[])) AS billed (id)
CROSS JOIN LATERAL (
  SELECT id FROM billing.subscriptions AS known
  WHERE known.id = billed.id AND (known.status IN ('past_due', 'unpaid') OR known.pause_behavior IS NOT NULL
    OR EXISTS (SELECT FROM billing.disputed_subscriptions AS disputed WHERE disputed.subscription_id = known.id))
  OFFSET 0) AS subscription`,
};

/** Purchases and subscriptions that changed payments paid. $1: as $2 of {@link LOCK_SOURCES}. */
export const FIND_PAID: Statement = {
  name: 'find_paid_sources',
  text: `
SELECT purchase.id FROM (${chargedIntents('(SELECT $1::text[])')}) AS charged
CROSS JOIN LATERAL (SELECT id FROM billing.purchases WHERE payment_intent_id = charged.payment_intent_id
                    OFFSET 0) AS purchase
UNION
SELECT disputed.subscription_id FROM unnest((SELECT $1::text[])) AS changed (id)
CROSS JOIN LATERAL (SELECT subscription_id FROM billing.disputed_subscriptions WHERE dispute_id = changed.id
                    OFFSET 0) AS disputed
UNION
SELECT paid.subscription_id FROM unnest((SELECT $1::text[])) AS changed (id)
CROSS JOIN LATERAL (SELECT invoice_id FROM billing.invoice_payments WHERE id = changed.id OFFSET 0) AS payment
CROSS JOIN LATERAL (
  SELECT subscription_id FROM billing.invoices AS invoice
  WHERE invoice.id = payment.invoice_id AND EXISTS (
    SELECT FROM billing.disputed_subscriptions AS disputed WHERE disputed.subscription_id = invoice.subscription_id)
  OFFSET 0) AS paid`,
};

/** What belongs to changed customers and does not say itself, in every column, whose it is. $1: customers. */
export const FIND_OWNED: Statement = {
  name: 'find_owned_sources',
  text: `
SELECT owned.id FROM unnest((SELECT $1::text[])) AS customer (id)
CROSS JOIN LATERAL (
  SELECT id FROM billing.subscriptions WHERE customer_id = customer.id
    AND (user_id IS NULL OR project_id IS NULL OR app_id IS NULL OR defaulted IS NOT NULL)
  UNION ALL
  SELECT id FROM billing.purchases WHERE customer_id = customer.id
    AND (user_id IS NULL OR project_id IS NULL OR app_id IS NULL OR defaulted IS NOT NULL)
  OFFSET 0) AS owned`,
};

/** @param only restricts the grants to those of one kind of source: the tables of the other are then not touched */
const replacement = (only: string) => `
WITH touched AS MATERIALIZED (
  SELECT DISTINCT unnest((SELECT $1::text[])) AS source_id
), granted AS MATERIALIZED (
  SELECT granting.* FROM touched
  CROSS JOIN LATERAL (SELECT * FROM billing.entitlement_grants AS granting
                      WHERE granting.source_id = touched.source_id${only} OFFSET 0) AS granting
), present AS MATERIALIZED (
  SELECT stored.* FROM touched
  CROSS JOIN LATERAL (
    SELECT user_id, project_id, feature, source, source_id, valid_from, valid_until
    FROM billing.entitlements AS stored WHERE stored.source_id = touched.source_id OFFSET 0) AS stored
), gone AS (
  SELECT user_id, project_id, feature, source, source_id FROM present
  EXCEPT
  SELECT user_id, project_id, feature, source, source_id FROM granted
), removed AS (
  DELETE FROM billing.entitlements AS stored USING gone
  WHERE stored.user_id = gone.user_id AND stored.project_id = gone.project_id AND stored.feature = gone.feature
    AND stored.source = gone.source AND stored.source_id = gone.source_id
    -- Usually nothing is: the plan of an empty table, which would read a full one, is then not run at all.
    AND EXISTS (SELECT FROM gone)
  RETURNING stored.user_id, stored.project_id
), unlike AS (
  SELECT user_id, project_id, feature, source, source_id, valid_from, valid_until FROM granted
  EXCEPT
  SELECT user_id, project_id, feature, source, source_id, valid_from, valid_until FROM present
), added AS (
  INSERT INTO billing.entitlements AS stored
    (user_id, project_id, feature, source, source_id, valid_from, valid_until)
  SELECT user_id, project_id, feature, source, source_id, valid_from, valid_until FROM unlike
  ORDER BY user_id, project_id, feature, source, source_id
  ON CONFLICT (user_id, project_id, feature, source, source_id) DO UPDATE
  SET valid_from = excluded.valid_from, valid_until = excluded.valid_until
  WHERE (stored.valid_from, stored.valid_until) IS DISTINCT FROM (excluded.valid_from, excluded.valid_until)
  RETURNING user_id, project_id
), changed AS (
  SELECT user_id, project_id FROM removed UNION SELECT user_id, project_id FROM added
)
INSERT INTO billing.entitlement_versions AS stored (user_id, project_id, version, changed_at)
SELECT user_id, project_id, 1, now() FROM changed ORDER BY user_id, project_id
ON CONFLICT (user_id, project_id) DO UPDATE SET version = stored.version + 1, changed_at = excluded.changed_at
RETURNING user_id, project_id, version`;

/**
 * Replaces the entitlements of the given sources by what they grant now. Runs after {@link LOCK_SOURCES}, as a separate
 * statement, so that it sees what the transactions before it committed. $1: subscriptions and purchases. Returns `user_id`,
 * `project_id` and `version` where anything changed.
 *
 * A source's former user is found by the source's id, so moving it changes both users. Stored entitlements are read once,
 * and only differences are written: most changes of a subscription leave its entitlements unchanged, and an upsert would
 * lock and rewrite every row.
 */
export const REPLACE_ENTITLEMENTS: Statement = { name: 'replace_entitlements', text: replacement('') };

/** {@link REPLACE_ENTITLEMENTS} for subscriptions only: half the tables, which a single event feels. */
export const REPLACE_SUBSCRIPTION_ENTITLEMENTS: Statement = {
  name: 'replace_subscription_entitlements',
  text: replacement(` AND granting.source = 'subscription'`),
};

/**
 * A user's entitlements in a project with their version, in one snapshot of the database. $1: user, $2: project, $3: moment;
 * entitlements that ended before it are left out.
 */
export const READ_ENTITLEMENTS: Statement = {
  name: 'read_entitlements',
  text: `
SELECT coalesce((SELECT version FROM billing.entitlement_versions WHERE user_id = $1 AND project_id = $2), 0) AS version,
       feature, source, source_id, valid_from, valid_until
FROM (SELECT) AS always
LEFT JOIN billing.entitlements AS entitlement
  ON user_id = $1 AND project_id = $2 AND (valid_until IS NULL OR valid_until > $3::timestamptz)
ORDER BY feature, source, source_id`,
};
