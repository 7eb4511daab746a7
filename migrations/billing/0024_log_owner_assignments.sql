-- Up Migration
-- Every owner that an operator ever assigned to a purchase; `owner_assignments` has the one in force. Rows are only added.
CREATE TABLE billing.owner_assignment_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  object_id text NOT NULL,
  app_id text,
  project_id text,
  user_id text,
  reason text NOT NULL,
  assigned_by text NOT NULL,
  assigned_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX owner_assignment_log_by_object ON billing.owner_assignment_log (object_id);
INSERT INTO billing.owner_assignment_log (object_id, app_id, project_id, user_id, reason, assigned_by, assigned_at)
SELECT object_id, app_id, project_id, user_id, reason, assigned_by, assigned_at FROM billing.owner_assignments;

-- What may belong to nobody is looked for every five minutes. Writers of either table wait while its index is built, about
-- a second for a million rows; readers do not.
CREATE INDEX subscriptions_without_user ON billing.subscriptions (id) WHERE user_id IS NULL;
CREATE INDEX purchases_without_user ON billing.purchases (id) WHERE user_id IS NULL;

-- Down Migration
DROP INDEX billing.subscriptions_without_user, billing.purchases_without_user;
DROP TABLE billing.owner_assignment_log;
