-- Up Migration
-- A card says whose a payment is only where the payment names no customer. Events about cards are stored without the moment at which
-- the card began, so those that arrive after an erasure make it the erased person's; a person who then bought again as the same
-- customer with it lost what was bought, although the payment is newer than the erasure.
-- Replaces a function, which takes no lock of a table; older code may run beside it.

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

-- Down Migration
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
      prefix || coalesce(billing.id_in(object -> 'payment_method'), object ->> 'payment_method_id'),
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
