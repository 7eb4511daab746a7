-- Up Migration
-- What Stripe answered when it refused to repeat a payout may name the person who is paid, as the message of the failed payout
-- does. An erasure, and the trigger of a table that has a person, now drop it with the latter.
--
-- Locks: SHARE ROW EXCLUSIVE of `payout_retries`, which has a row for each attempt of an operator: readers pass, another attempt
-- waits until the migration commits, which takes milliseconds; taking it back, ACCESS EXCLUSIVE. Replaced functions take no lock
-- of a table. Older code goes on as before; its sweeps leave the table to the trigger.

CREATE OR REPLACE FUNCTION billing.erasure_treatments(table_name text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (CASE table_name
    WHEN 'webhook_events' THEN '{"payload": "reduce", "error": "blank", "dismissal_reason": "blank"}'
    WHEN 'customers' THEN '{"user_id": "pseudonymise", "email": "drop", "name": "drop", "raw": "reduce"}'
    WHEN 'subscriptions' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'invoices' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'purchases' THEN '{"user_id": "pseudonymise", "client_reference_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'payment_intents' THEN '{"user_id": "pseudonymise", "failure_message": "drop", "raw": "reduce"}'
    WHEN 'charges' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'refunds' THEN '{"raw": "reduce"}'
    WHEN 'invoice_payments' THEN '{"raw": "reduce"}'
    WHEN 'disputes' THEN '{"raw": "reduce"}'
    WHEN 'early_fraud_warnings' THEN '{"raw": "reduce"}'
    WHEN 'connect_accounts' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'account_restrictions' THEN '{"raw": "reduce"}'
    WHEN 'owner_assignments' THEN '{"user_id": "pseudonymise", "reason": "blank"}'
    WHEN 'owner_assignment_log' THEN '{"user_id": "pseudonymise", "reason": "blank"}'
    WHEN 'reconciliation_findings' THEN '{"local_value": "drop", "stripe_value": "drop"}'
    WHEN 'payouts' THEN '{"failure_message": "drop", "raw": "reduce"}'
    WHEN 'payout_retries' THEN '{"error": "drop"}'
    WHEN 'transfers' THEN '{"raw": "reduce"}'
    WHEN 'bitcoin_payments' THEN '{"user_id": "pseudonymise", "metadata": "reduce", "accepted_reason": "blank"}'
    WHEN 'object_refreshes' THEN '{"last_error": "drop"}'
  END)::jsonb
$$;

CREATE OR REPLACE FUNCTION billing.is_of_erased(table_name text, stored jsonb, object jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  prefix text := billing.id_prefix(stored);
  kind text := billing.kind_of(table_name, stored, object);
  customer text := coalesce(stored ->> 'customer_id',
    prefix || coalesce(billing.id_in(object -> 'customer'), object ->> 'customer_id'));
  email text;
  users text[];
  began timestamptz;
BEGIN
  IF EXISTS (SELECT FROM billing.erased_objects AS known WHERE known.id = ANY (ARRAY[
      stored ->> 'id', stored ->> 'object_id', stored ->> 'charge_id', stored ->> 'payment_intent_id',
      stored ->> 'invoice_id', stored ->> 'subscription_id', stored ->> 'latest_charge_id', stored ->> 'account_id', stored ->> 'source_id',
      stored ->> 'payout_id',
      prefix || (object ->> 'id'), prefix || coalesce(billing.id_in(object -> 'charge'), object ->> 'charge_id'),
      prefix || coalesce(billing.id_in(object -> 'payment_intent'), object ->> 'payment_intent_id'),
      prefix || coalesce(billing.id_in(object -> 'subscription'), object ->> 'subscription_id'),
      billing.id_in(object -> 'invoice'), billing.id_in(object -> 'latest_charge'), billing.id_in(object -> 'account'),
      CASE kind WHEN 'transfer' THEN billing.id_in(object -> 'destination') END,
      billing.id_in(object -> 'source_transaction'), billing.id_in(object #> '{payment,payment_intent}'),
      CASE WHEN customer IS NULL THEN prefix || coalesce(billing.id_in(object -> 'payment_method'), object ->> 'payment_method_id') END,
      billing.id_in(object #> '{parent,subscription_details,subscription}')])) THEN
    RETURN true;
  END IF;
  IF kind = 'customer' THEN customer := coalesce(prefix || (object ->> 'id'), stored ->> 'id'); END IF;
  -- An account that is paid out to is its user's, whatever its address.
  IF customer IS NULL AND kind IS DISTINCT FROM 'account' THEN
    email := lower(coalesce(object ->> 'receipt_email', object ->> 'customer_email', object #>> '{customer_details,email}',
      object #>> '{billing_details,email}', object ->> 'email'));
  END IF;
  users := ARRAY[stored ->> 'user_id', stored ->> 'client_reference_id', object ->> 'client_reference_id',
    object #>> '{metadata,user_id}', object #>> '{subscription_details,metadata,user_id}',
    object #>> '{parent,subscription_details,metadata,user_id}'];
  began := CASE
    WHEN jsonb_typeof(object -> 'created') = 'number' THEN to_timestamp((object ->> 'created')::float8)
    WHEN object ->> 'created_at' ~ '^[0-9]{4}-' AND pg_input_is_valid(object ->> 'created_at', 'timestamptz')
      THEN (object ->> 'created_at')::timestamptz
    ELSE coalesce(stored ->> 'created_at', stored ->> 'assigned_at')::timestamptz END;
  -- As billing.subject_digest, which would cost a call for each.
  RETURN EXISTS (
    SELECT FROM billing.erasure_key
    CROSS JOIN (
      SELECT 'user:' || named FROM unnest(users) AS given (named) WHERE named NOT LIKE 'erased-%'
      UNION ALL SELECT 'customer:' || customer
      UNION ALL SELECT 'email:' || email) AS subject (text)
    JOIN billing.erased_subjects AS erased
      ON erased.digest = sha256(outer_pad || sha256(inner_pad || convert_to(subject.text, 'UTF8')))
    WHERE coalesce(began <= erased.erased_at, true));
END $$;

CREATE OR REPLACE FUNCTION billing.spread_erasure() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ids text[];
BEGIN
  IF NOT EXISTS (SELECT FROM billing.erased_objects WHERE NOT spread) THEN RETURN NULL; END IF;
  WITH taken AS (UPDATE billing.erased_objects SET spread = true WHERE NOT spread RETURNING id)
  SELECT array_agg(id) INTO ids FROM taken;
  UPDATE billing.customers SET id = id WHERE id = ANY (ids);
  UPDATE billing.subscriptions SET id = id WHERE id = ANY (ids);
  UPDATE billing.invoices SET id = id
  WHERE id = ANY (ids) OR subscription_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.purchases SET id = id
  WHERE id = ANY (ids) OR subscription_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.payouts SET id = id WHERE coalesce(account_id, '') = ANY (ids);
  UPDATE billing.payout_retries SET payout_id = payout_id WHERE payout_id = ANY (ids);
  UPDATE billing.transfers SET id = id WHERE account_id = ANY (ids);
  UPDATE billing.bitcoin_payments SET id = id WHERE id = ANY (ids);
  UPDATE billing.payment_intents SET id = id WHERE id = ANY (ids) OR latest_charge_id = ANY (ids);
  UPDATE billing.charges SET id = id WHERE id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.refunds SET id = id WHERE charge_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.invoice_payments SET id = id WHERE invoice_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.disputes SET id = id WHERE charge_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.early_fraud_warnings SET id = id WHERE charge_id = ANY (ids);
  UPDATE billing.account_restrictions SET id = id WHERE account_id = ANY (ids);
  UPDATE billing.webhook_events SET object_id = object_id WHERE object_id = ANY (ids);
  UPDATE billing.reconciliation_findings SET object_id = object_id WHERE object_id = ANY (ids);
  UPDATE billing.owner_assignments SET object_id = object_id WHERE object_id = ANY (ids);
  UPDATE billing.owner_assignment_log SET object_id = object_id WHERE object_id = ANY (ids);
  WITH own AS (DELETE FROM billing.entitlements
    WHERE source_id = ANY (ids) AND user_id <> billing.pseudonym(user_id) RETURNING *)
  INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from, valid_until)
  SELECT billing.pseudonym(user_id), project_id, feature, source, source_id, valid_from, valid_until FROM own
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER forgets_erased BEFORE INSERT OR UPDATE ON billing.payout_retries
FOR EACH ROW WHEN (current_setting('erasure.events', true) IS DISTINCT FROM 'by_event')
EXECUTE FUNCTION billing.forget_erased();
CREATE TRIGGER spreads_erasure AFTER INSERT OR UPDATE ON billing.payout_retries
FOR EACH STATEMENT WHEN (current_setting('erasure.events', true) IS DISTINCT FROM 'by_event')
EXECUTE FUNCTION billing.spread_erasure();

-- Of people who were erased before.
UPDATE billing.payout_retries SET payout_id = payout_id
WHERE error IS NOT NULL AND payout_id IN (SELECT id FROM billing.erased_objects);

-- Down Migration
DROP TRIGGER forgets_erased ON billing.payout_retries;
DROP TRIGGER spreads_erasure ON billing.payout_retries;

CREATE OR REPLACE FUNCTION billing.erasure_treatments(table_name text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (CASE table_name
    WHEN 'webhook_events' THEN '{"payload": "reduce", "error": "blank", "dismissal_reason": "blank"}'
    WHEN 'customers' THEN '{"user_id": "pseudonymise", "email": "drop", "name": "drop", "raw": "reduce"}'
    WHEN 'subscriptions' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'invoices' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'purchases' THEN '{"user_id": "pseudonymise", "client_reference_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'payment_intents' THEN '{"user_id": "pseudonymise", "failure_message": "drop", "raw": "reduce"}'
    WHEN 'charges' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'refunds' THEN '{"raw": "reduce"}'
    WHEN 'invoice_payments' THEN '{"raw": "reduce"}'
    WHEN 'disputes' THEN '{"raw": "reduce"}'
    WHEN 'early_fraud_warnings' THEN '{"raw": "reduce"}'
    WHEN 'connect_accounts' THEN '{"user_id": "pseudonymise", "raw": "reduce"}'
    WHEN 'account_restrictions' THEN '{"raw": "reduce"}'
    WHEN 'owner_assignments' THEN '{"user_id": "pseudonymise", "reason": "blank"}'
    WHEN 'owner_assignment_log' THEN '{"user_id": "pseudonymise", "reason": "blank"}'
    WHEN 'reconciliation_findings' THEN '{"local_value": "drop", "stripe_value": "drop"}'
    WHEN 'payouts' THEN '{"failure_message": "drop", "raw": "reduce"}'
    WHEN 'transfers' THEN '{"raw": "reduce"}'
    WHEN 'bitcoin_payments' THEN '{"user_id": "pseudonymise", "metadata": "reduce", "accepted_reason": "blank"}'
    WHEN 'object_refreshes' THEN '{"last_error": "drop"}'
  END)::jsonb
$$;

CREATE OR REPLACE FUNCTION billing.is_of_erased(table_name text, stored jsonb, object jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  prefix text := billing.id_prefix(stored);
  kind text := billing.kind_of(table_name, stored, object);
  customer text := coalesce(stored ->> 'customer_id',
    prefix || coalesce(billing.id_in(object -> 'customer'), object ->> 'customer_id'));
  email text;
  users text[];
  began timestamptz;
BEGIN
  IF EXISTS (SELECT FROM billing.erased_objects AS known WHERE known.id = ANY (ARRAY[
      stored ->> 'id', stored ->> 'object_id', stored ->> 'charge_id', stored ->> 'payment_intent_id',
      stored ->> 'invoice_id', stored ->> 'subscription_id', stored ->> 'latest_charge_id', stored ->> 'account_id', stored ->> 'source_id',
      prefix || (object ->> 'id'), prefix || coalesce(billing.id_in(object -> 'charge'), object ->> 'charge_id'),
      prefix || coalesce(billing.id_in(object -> 'payment_intent'), object ->> 'payment_intent_id'),
      prefix || coalesce(billing.id_in(object -> 'subscription'), object ->> 'subscription_id'),
      billing.id_in(object -> 'invoice'), billing.id_in(object -> 'latest_charge'), billing.id_in(object -> 'account'),
      CASE kind WHEN 'transfer' THEN billing.id_in(object -> 'destination') END,
      billing.id_in(object -> 'source_transaction'), billing.id_in(object #> '{payment,payment_intent}'),
      CASE WHEN customer IS NULL THEN prefix || coalesce(billing.id_in(object -> 'payment_method'), object ->> 'payment_method_id') END,
      billing.id_in(object #> '{parent,subscription_details,subscription}')])) THEN
    RETURN true;
  END IF;
  IF kind = 'customer' THEN customer := coalesce(prefix || (object ->> 'id'), stored ->> 'id'); END IF;
  -- An account that is paid out to is its user's, whatever its address.
  IF customer IS NULL AND kind IS DISTINCT FROM 'account' THEN
    email := lower(coalesce(object ->> 'receipt_email', object ->> 'customer_email', object #>> '{customer_details,email}',
      object #>> '{billing_details,email}', object ->> 'email'));
  END IF;
  users := ARRAY[stored ->> 'user_id', stored ->> 'client_reference_id', object ->> 'client_reference_id',
    object #>> '{metadata,user_id}', object #>> '{subscription_details,metadata,user_id}',
    object #>> '{parent,subscription_details,metadata,user_id}'];
  began := CASE
    WHEN jsonb_typeof(object -> 'created') = 'number' THEN to_timestamp((object ->> 'created')::float8)
    WHEN object ->> 'created_at' ~ '^[0-9]{4}-' AND pg_input_is_valid(object ->> 'created_at', 'timestamptz')
      THEN (object ->> 'created_at')::timestamptz
    ELSE coalesce(stored ->> 'created_at', stored ->> 'assigned_at')::timestamptz END;
  -- As billing.subject_digest, which would cost a call for each.
  RETURN EXISTS (
    SELECT FROM billing.erasure_key
    CROSS JOIN (
      SELECT 'user:' || named FROM unnest(users) AS given (named) WHERE named NOT LIKE 'erased-%'
      UNION ALL SELECT 'customer:' || customer
      UNION ALL SELECT 'email:' || email) AS subject (text)
    JOIN billing.erased_subjects AS erased
      ON erased.digest = sha256(outer_pad || sha256(inner_pad || convert_to(subject.text, 'UTF8')))
    WHERE coalesce(began <= erased.erased_at, true));
END $$;

CREATE OR REPLACE FUNCTION billing.spread_erasure() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ids text[];
BEGIN
  IF NOT EXISTS (SELECT FROM billing.erased_objects WHERE NOT spread) THEN RETURN NULL; END IF;
  WITH taken AS (UPDATE billing.erased_objects SET spread = true WHERE NOT spread RETURNING id)
  SELECT array_agg(id) INTO ids FROM taken;
  UPDATE billing.customers SET id = id WHERE id = ANY (ids);
  UPDATE billing.subscriptions SET id = id WHERE id = ANY (ids);
  UPDATE billing.invoices SET id = id
  WHERE id = ANY (ids) OR subscription_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.purchases SET id = id
  WHERE id = ANY (ids) OR subscription_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.payouts SET id = id WHERE coalesce(account_id, '') = ANY (ids);
  UPDATE billing.transfers SET id = id WHERE account_id = ANY (ids);
  UPDATE billing.bitcoin_payments SET id = id WHERE id = ANY (ids);
  UPDATE billing.payment_intents SET id = id WHERE id = ANY (ids) OR latest_charge_id = ANY (ids);
  UPDATE billing.charges SET id = id WHERE id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.refunds SET id = id WHERE charge_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.invoice_payments SET id = id WHERE invoice_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.disputes SET id = id WHERE charge_id = ANY (ids) OR payment_intent_id = ANY (ids);
  UPDATE billing.early_fraud_warnings SET id = id WHERE charge_id = ANY (ids);
  UPDATE billing.account_restrictions SET id = id WHERE account_id = ANY (ids);
  UPDATE billing.webhook_events SET object_id = object_id WHERE object_id = ANY (ids);
  UPDATE billing.reconciliation_findings SET object_id = object_id WHERE object_id = ANY (ids);
  UPDATE billing.owner_assignments SET object_id = object_id WHERE object_id = ANY (ids);
  UPDATE billing.owner_assignment_log SET object_id = object_id WHERE object_id = ANY (ids);
  WITH own AS (DELETE FROM billing.entitlements
    WHERE source_id = ANY (ids) AND user_id <> billing.pseudonym(user_id) RETURNING *)
  INSERT INTO billing.entitlements (user_id, project_id, feature, source, source_id, valid_from, valid_until)
  SELECT billing.pseudonym(user_id), project_id, feature, source, source_id, valid_from, valid_until FROM own
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
