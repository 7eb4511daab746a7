-- Up Migration
-- What a user may use in a project. The view entitlement_grants computes it from the stored subscriptions, purchases and
-- refunds; the table entitlements keeps the view's rows, and those of a changed source are replaced in the transaction
-- that changed it. Rows say from when until when they hold, so time passes without anything being computed again.

-- What plans and purchases grant, as the adopter's data. A column that is null matches everything.
CREATE TABLE billing.entitlement_rules (
  id text PRIMARY KEY,
  app_id text,
  project_id text,
  source text NOT NULL CHECK (source IN ('subscription', 'purchase')),
  price_id text,
  product_id text,
  -- Hours, not days: a day has 23 or 25 hours twice a year, in the time zone of whoever asks.
  grace interval,
  purchase_kind text CHECK (purchase_kind IN ('course', 'path', 'coaching', 'other')),
  item_id text,
  features text[] NOT NULL CHECK (cardinality(features) > 0),
  CONSTRAINT rules_match_what_their_source_has CHECK (
    CASE source
      WHEN 'subscription' THEN num_nonnulls(price_id, product_id) = 1 AND grace >= interval '0'
        AND num_nonnulls(purchase_kind, item_id) = 0
      ELSE purchase_kind IS NOT NULL AND num_nonnulls(price_id, product_id, grace) = 0
    END)
);

-- One row per source: somebody who bought a course twice loses it with the second refund. `project_id` is empty where
-- the source names no project. `valid_until` is null for what was bought for good.
CREATE TABLE billing.entitlements (
  user_id text NOT NULL,
  project_id text NOT NULL,
  feature text NOT NULL,
  source text NOT NULL CHECK (source IN ('subscription', 'purchase')),
  source_id text NOT NULL,
  valid_from timestamptz NOT NULL,
  valid_until timestamptz,
  PRIMARY KEY (user_id, project_id, feature, source, source_id),
  CONSTRAINT entitlements_last CHECK (valid_until > valid_from)
);
CREATE INDEX entitlements_by_source ON billing.entitlements (source_id);
CREATE INDEX entitlements_by_project ON billing.entitlements (project_id, source_id);

-- How often the entitlements of a user in a project changed. Never decreases, and outlives the entitlements: caches
-- decide by it which of two answers is the newer one.
CREATE TABLE billing.entitlement_versions (
  user_id text NOT NULL,
  project_id text NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, project_id)
);

-- Pages of one project's sources, in the order of their ids.
CREATE INDEX subscriptions_by_project_and_id ON billing.subscriptions (project_id, id);
CREATE INDEX purchases_by_project_and_id ON billing.purchases (project_id, id);

CREATE VIEW billing.entitlement_grants AS
SELECT user_id,
       project_id,
       feature,
       source,
       source_id,
       valid_from,
       -- Two items of a subscription may grant the same feature: the longer one counts, and null is the longest.
       nullif(max(coalesce(valid_until, 'infinity')), 'infinity') AS valid_until
FROM (
  SELECT subscription.user_id,
         coalesce(subscription.project_id, '') AS project_id,
         granted.feature,
         'subscription' AS source,
         subscription.id AS source_id,
         subscription.created_at AS valid_from,
         -- The earliest of these ends it; those that are null do not.
         least(
           CASE subscription.status
             -- A trial has paid for nothing, so nothing outlives it.
             WHEN 'trialing' THEN coalesce(subscription.trial_end, item.current_period_end)
             -- The news that it was renewed comes an hour after the period's end, or later.
             WHEN 'active' THEN item.current_period_end + rule.grace
             -- Stripe begins the new period, then fails to collect for it: this period is the unpaid one.
             WHEN 'past_due' THEN coalesce(item.current_period_start, subscription.created_at) + rule.grace
             WHEN 'canceled' THEN coalesce(subscription.ended_at, subscription.canceled_at, subscription.created_at)
           END,
           CASE WHEN subscription.cancel_at_period_end THEN subscription.current_period_end END,
           subscription.cancel_at,
           subscription.ended_at
         ) AS valid_until
  FROM billing.subscriptions AS subscription
  JOIN billing.subscription_items AS item ON item.subscription_id = subscription.id
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'subscription' AND (rule.price_id = item.price_id OR rule.product_id = item.product_id)
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  -- Never `incomplete` (the first payment is missing), `unpaid` (Stripe gave up collecting) or `paused`.
  WHERE subscription.status IN ('trialing', 'active', 'past_due', 'canceled')
    AND subscription.user_id IS NOT NULL
    AND (rule.app_id IS NULL OR rule.app_id = subscription.app_id)
    AND (rule.project_id IS NULL OR rule.project_id = subscription.project_id)
  UNION ALL
  SELECT purchase.user_id,
         coalesce(purchase.project_id, ''),
         replace(granted.feature, '{item_id}', coalesce(purchase.item_id, '')),
         'purchase',
         purchase.id,
         purchase.created_at,
         NULL
  FROM billing.purchases AS purchase
  JOIN billing.entitlement_rules AS rule
    ON rule.source = 'purchase' AND rule.purchase_kind = purchase.kind
      AND (rule.item_id IS NULL OR rule.item_id = purchase.item_id)
  CROSS JOIN LATERAL unnest(rule.features) AS granted (feature)
  WHERE purchase.user_id IS NOT NULL
    -- A checkout that starts a subscription grants nothing by itself: the subscription does.
    AND purchase.mode = 'payment'
    AND coalesce(purchase.status, 'complete') = 'complete'
    AND purchase.payment_status IN ('paid', 'no_payment_required')
    AND (purchase.item_id IS NOT NULL OR strpos(granted.feature, '{item_id}') = 0)
    AND (rule.app_id IS NULL OR rule.app_id = purchase.app_id)
    AND (rule.project_id IS NULL OR rule.project_id = purchase.project_id)
    -- A partial refund is a discount after the fact and takes nothing away. A refund that failed gives it back.
    AND NOT EXISTS (
      SELECT FROM billing.charges AS charge
      WHERE charge.payment_intent_id = purchase.payment_intent_id AND charge.status = 'succeeded' AND charge.amount > 0
        AND charge.amount <= (
          SELECT refunds.balance FROM billing.refund_balances AS refunds WHERE refunds.charge_id = charge.id)
    )
) AS granted
WHERE valid_until IS NULL OR valid_until > valid_from
GROUP BY user_id, project_id, feature, source, source_id, valid_from;

-- Down Migration
DROP VIEW billing.entitlement_grants;
DROP INDEX billing.subscriptions_by_project_and_id, billing.purchases_by_project_and_id;
DROP TABLE billing.entitlement_versions, billing.entitlements, billing.entitlement_rules;
