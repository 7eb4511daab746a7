-- Up Migration
-- What is left of a person after an erasure, and what keeps the person from coming back. The tombstones hold no identifier of
-- anyone: HMAC-SHA-256 of it, under a key of which only the pads are here. A trigger of every table that may hold something
-- of a person reduces rows that belong to one before they are written, be it by a webhook, a replay, a reconciliation or a merge.
--
-- An event that is applied is checked once, with its row in the ledger: everything that is written with it comes from it.
-- Such a transaction sets `erasure.events` to 'by_event', and the triggers of the other tables do not run until that of the ledger
-- finds an event of an erased person and sets it to 'met'. In a transaction without the setting, every row is checked.
--
-- Locks: SHARE ROW EXCLUSIVE of each table with a trigger, for the moment that CREATE TRIGGER takes; readers pass, writers wait.
-- Older code goes on as before: without tombstones, the triggers return every row as it is.

-- The two pads of RFC 2104 for the key of the environment: `sha256(outer || sha256(inner || text))` is its HMAC.
CREATE TABLE billing.erasure_key (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  inner_pad bytea NOT NULL CHECK (octet_length(inner_pad) = 64),
  outer_pad bytea NOT NULL CHECK (octet_length(outer_pad) = 64)
);

CREATE TABLE billing.erasures (
  id text PRIMARY KEY,
  erased_at timestamptz NOT NULL,
  -- Null until every table was gone through; an erasure that was killed is finished by asking for it again.
  finished_at timestamptz,
  -- Rows that were reduced, by table.
  counts jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE billing.erased_subjects (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  kind text NOT NULL CHECK (kind IN ('customer', 'user', 'email')),
  -- Objects that began later are another relationship: the person came back.
  erased_at timestamptz NOT NULL
);

-- Ids of objects that belonged to erased people. What refers to one belongs to the same person, whenever it arrives.
CREATE TABLE billing.erased_objects (
  id text PRIMARY KEY,
  -- Whether the rows that refer to it were reduced.
  spread boolean NOT NULL DEFAULT false
);
CREATE INDEX erased_objects_to_spread ON billing.erased_objects (id) WHERE NOT spread;

CREATE FUNCTION billing.subject_digest(kind text, value text) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(outer_pad || sha256(inner_pad || convert_to(kind || ':' || value, 'UTF8'))) FROM billing.erasure_key
$$;

-- What stands for an erased user: the same in all rows, and not to be turned back into the id.
CREATE FUNCTION billing.pseudonym(value text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN value IS NULL OR value ~ '^erased-[0-9a-f]{20}$' THEN value
    ELSE 'erased-' || left(encode(billing.subject_digest('user', value), 'hex'), 20) END
$$;

-- What becomes of each column of a table that may hold something of a person; core/erasure/policy.ts says why.
CREATE FUNCTION billing.erasure_treatments(table_name text) RETURNS jsonb
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

-- What is kept of a provider's object: numbers, flags, and text under the names below. Everything else may hold something of a
-- person, also what a later API version adds. `country` stays, for taxes. A value with a space or an @ is no id and no code.
CREATE FUNCTION billing.reduced_json(value jsonb, name text DEFAULT '') RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  CASE jsonb_typeof(value)
    WHEN 'object' THEN
      IF name = 'metadata' THEN
        RETURN (SELECT coalesce(jsonb_object_agg(key,
            CASE key WHEN 'user_id' THEN to_jsonb(billing.pseudonym(entry #>> '{}')) ELSE entry END), '{}')
          FROM jsonb_each(value) AS own (key, entry)
          WHERE key IN ('app_id', 'project_id', 'user_id', 'kind', 'item_id') AND jsonb_typeof(entry) = 'string');
      END IF;
      RETURN (SELECT coalesce(jsonb_object_agg(key, kept), '{}')
        FROM jsonb_each(value) AS part (key, entry)
        CROSS JOIN LATERAL (SELECT billing.reduced_json(entry, key) AS kept) AS reduced
        WHERE kept IS NOT NULL);
    WHEN 'array' THEN
      RETURN (SELECT coalesce(jsonb_agg(kept ORDER BY position), '[]')
        FROM jsonb_array_elements(value) WITH ORDINALITY AS part (entry, position)
        CROSS JOIN LATERAL (SELECT billing.reduced_json(entry, name) AS kept) AS reduced
        WHERE kept IS NOT NULL);
    WHEN 'string' THEN
      IF name = 'client_reference_id' THEN RETURN to_jsonb(billing.pseudonym(value #>> '{}')); END IF;
      RETURN CASE WHEN value #>> '{}' ~ '^[A-Za-z0-9_.:+/=-]{1,255}$' AND (
        name IN (
          'account', 'charge', 'customer', 'id', 'invoice', 'invoice_item', 'latest_charge', 'object', 'payment_intent',
          'plan', 'price', 'product', 'refund', 'subscription', 'subscription_item',
          -- The same of Tilled, and the times by which its events are ordered.
          'account_id', 'charge_id', 'customer_id', 'payment_intent_id', 'subscription_id', 'interval_unit', 'created_at',
          'updated_at', 'cancel_at', 'canceled_at', 'closing_at', 'next_payment_at', 'resume_at',
          'api_version', 'behavior', 'billing_reason', 'category', 'code', 'collection_method', 'country', 'currency',
          'currently_due', 'disabled_reason', 'failure_code', 'failure_reason', 'fields_needed', 'fraud_type', 'interval',
          'mode', 'past_due', 'payment_status', 'reason', 'status', 'type')
        OR name LIKE '%\_decimal'
        OR value #>> '{}' IN ('active', 'inactive', 'pending', 'unrequested')) THEN value END;
    WHEN 'number' THEN
      RETURN CASE WHEN name NOT IN ('day', 'month', 'year', 'exp_month', 'exp_year', 'latitude', 'longitude') THEN value END;
    ELSE
      RETURN value;
  END CASE;
END $$;

-- A row, as JSON, without what is of a person.
CREATE FUNCTION billing.reduced_row(table_name text, stored jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT stored || coalesce(jsonb_object_agg(name, CASE
      WHEN jsonb_typeof(stored -> name) = 'null' THEN 'null'::jsonb
      WHEN treatment = 'pseudonymise' THEN to_jsonb(billing.pseudonym(stored ->> name))
      WHEN treatment = 'reduce' THEN billing.reduced_json(stored -> name, name)
      WHEN treatment = 'blank' THEN '"erased"'::jsonb
      ELSE 'null'::jsonb END), '{}')
  FROM jsonb_each_text(billing.erasure_treatments(table_name)) AS treated (name, treatment)
  WHERE stored ? name
$$;

-- An id, or that of an object which stands in its place.
CREATE FUNCTION billing.id_in(reference jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE jsonb_typeof(reference) WHEN 'string' THEN reference #>> '{}' WHEN 'object' THEN reference ->> 'id' END
$$;

-- The provider's object in a row of any table.
CREATE FUNCTION billing.object_in(stored jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(
    stored #> '{payload,data,object}', stored #> '{payload,data}',
    CASE jsonb_typeof(stored -> 'raw') WHEN 'object' THEN stored -> 'raw' END, '{}')
$$;

-- What comes before a provider's own ids in our tables: nothing for Stripe, `tilled:` for Tilled.
CREATE FUNCTION billing.id_prefix(stored jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN stored ? 'provider' THEN coalesce(nullif(stored ->> 'provider', 'stripe') || ':', '')
    ELSE coalesce(substring(stored ->> 'id' FROM '^[a-z]+:'), '') END
$$;

-- What an object is, such as `customer`. Of providers whose objects do not say so, the type of the event does.
CREATE FUNCTION billing.kind_of(table_name text, stored jsonb, object jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(object ->> 'object', CASE table_name
    WHEN 'customers' THEN 'customer' WHEN 'connect_accounts' THEN 'account' ELSE split_part(stored ->> 'type', '.', 1) END)
$$;

-- Whether a row belongs to an erased person: it is one of the person's objects, refers to one, or names the person.
-- An address counts only where no customer is named, since two customers may share one.
CREATE FUNCTION billing.is_of_erased(table_name text, stored jsonb, object jsonb) RETURNS boolean
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

-- Whether a stored row has to be reduced: it belongs to an erased person, and still says more than it may.
CREATE FUNCTION billing.is_due_for_erasure(table_name text, stored jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN billing.is_of_erased(table_name, stored, billing.object_in(stored))
    THEN billing.reduced_row(table_name, stored) <> stored ELSE false END
$$;

-- Reduces a row that is about to be written, and remembers what it refers to. Defined as its owner's, so that the role that
-- writes needs no right to the tombstones.
CREATE FUNCTION billing.forget_erased() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  incoming jsonb;
  object jsonb;
  kind text;
  reduced jsonb;
  tally jsonb;
BEGIN
  IF NOT EXISTS (SELECT FROM billing.erased_subjects) THEN RETURN NEW; END IF;
  IF TG_TABLE_NAME = 'webhook_events' THEN
    -- Of nearly every event nothing more than this is asked.
    object := coalesce(NEW.payload #> '{data,object}', NEW.payload #> '{data}', '{}');
    -- The account of a payout is named by the event, not by its object. On events of other types, the account is the seller.
    IF NOT billing.is_of_erased(TG_TABLE_NAME, jsonb_build_object('id', NEW.id, 'object_id', NEW.object_id,
        'provider', NEW.provider, 'type', NEW.type, 'account_id', CASE
          WHEN NEW.type ~ '^(payout|account)[.]' THEN billing.id_prefix(jsonb_build_object('provider', NEW.provider))
            || coalesce(NEW.payload ->> 'account', object ->> 'account_id', NEW.payload ->> 'account_id') END), object) THEN
      RETURN NEW;
    END IF;
    PERFORM set_config('erasure.events', 'met', true);
    incoming := to_jsonb(NEW);
  ELSE
    incoming := to_jsonb(NEW);
    object := billing.object_in(incoming);
    IF NOT billing.is_of_erased(TG_TABLE_NAME, incoming, object) THEN RETURN NEW; END IF;
  END IF;
  kind := billing.kind_of(TG_TABLE_NAME, incoming, object);
  INSERT INTO billing.erased_objects (id)
  SELECT DISTINCT id FROM unnest(ARRAY[
    incoming ->> 'payment_intent_id', incoming ->> 'latest_charge_id', incoming ->> 'subscription_id',
    incoming ->> 'charge_id', incoming ->> 'invoice_id',
    CASE WHEN TG_TABLE_NAME LIKE 'owner\_assignment%' THEN incoming ->> 'object_id'
      WHEN TG_TABLE_NAME = 'bitcoin_payments' THEN incoming ->> 'id'
      WHEN incoming ? 'version' AND TG_TABLE_NAME <> 'account_restrictions' THEN incoming ->> 'id' END,
    -- Never the id of what people share, such as a product, an application or a capability.
    CASE WHEN kind IN (
      'account', 'bank_account', 'card', 'charge', 'checkout.session', 'credit_note', 'customer', 'dispute', 'invoice',
      'invoice_payment', 'invoiceitem', 'mandate', 'payment_intent', 'payment_method', 'person', 'quote',
      'radar.early_fraud_warning', 'refund', 'setup_intent', 'source', 'subscription', 'subscription_schedule', 'tax_id')
    THEN billing.id_prefix(incoming) || (object ->> 'id') END]) AS named (id)
  WHERE id IS NOT NULL
  ORDER BY id
  ON CONFLICT DO NOTHING;
  reduced := billing.reduced_row(TG_TABLE_NAME, incoming);
  -- Counted for the erasure, until the transaction ends: a row may be reduced by a statement about another.
  IF TG_OP = 'UPDATE' AND reduced <> incoming THEN
    tally := coalesce(nullif(current_setting('erasure.reduced', true), ''), '{}')::jsonb;
    tally := tally || jsonb_build_object(TG_TABLE_NAME, coalesce((tally ->> TG_TABLE_NAME)::int, 0) + 1);
    PERFORM set_config('erasure.reduced', tally::text, true);
  END IF;
  RETURN jsonb_populate_record(NEW, reduced);
END $$;

-- Reduces the rows that refer to an object which was just found to be an erased person's: they may have come first.
-- Entitlements are the pseudonym's from now on, as those are that are computed again.
CREATE FUNCTION billing.spread_erasure() RETURNS trigger
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

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'customers', 'subscriptions', 'invoices', 'purchases', 'payment_intents', 'charges', 'refunds',
    'invoice_payments', 'disputes', 'early_fraud_warnings', 'connect_accounts', 'account_restrictions', 'owner_assignments',
    'owner_assignment_log', 'reconciliation_findings', 'object_refreshes', 'bitcoin_payments', 'payouts', 'transfers'] LOOP
    EXECUTE format($trigger$CREATE TRIGGER forgets_erased BEFORE INSERT OR UPDATE ON billing.%I
      FOR EACH ROW WHEN (current_setting('erasure.events', true) IS DISTINCT FROM 'by_event')
      EXECUTE FUNCTION billing.forget_erased()$trigger$, name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY[
    'webhook_events', 'customers', 'subscriptions', 'invoices', 'purchases', 'payment_intents', 'charges', 'refunds',
    'invoice_payments', 'disputes', 'early_fraud_warnings', 'connect_accounts', 'account_restrictions', 'owner_assignments',
    'owner_assignment_log', 'reconciliation_findings', 'object_refreshes', 'bitcoin_payments', 'payouts', 'transfers'] LOOP
    EXECUTE format($trigger$CREATE TRIGGER spreads_erasure AFTER INSERT OR UPDATE ON billing.%I
      FOR EACH STATEMENT WHEN (current_setting('erasure.events', true) IS DISTINCT FROM 'by_event')
      EXECUTE FUNCTION billing.spread_erasure()$trigger$, name);
  END LOOP;
END $$;
-- An event that only changes its status is not looked at again. A sweep sets `provider`, a spread `object_id`.
CREATE TRIGGER forgets_erased
BEFORE INSERT OR UPDATE OF provider, object_id, payload, error, dismissal_reason ON billing.webhook_events
FOR EACH ROW EXECUTE FUNCTION billing.forget_erased();

REVOKE ALL ON billing.erasure_key, billing.erasures, billing.erased_subjects, billing.erased_objects FROM PUBLIC;
REVOKE ALL ON FUNCTION
  billing.subject_digest(text, text), billing.pseudonym(text), billing.erasure_treatments(text),
  billing.reduced_json(jsonb, text), billing.reduced_row(text, jsonb), billing.id_in(jsonb), billing.object_in(jsonb),
  billing.id_prefix(jsonb), billing.kind_of(text, jsonb, jsonb),
  billing.is_of_erased(text, jsonb, jsonb), billing.is_due_for_erasure(text, jsonb), billing.forget_erased(),
  billing.spread_erasure() FROM PUBLIC;

-- Down Migration
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY[
    'webhook_events', 'customers', 'subscriptions', 'invoices', 'purchases', 'payment_intents', 'charges', 'refunds',
    'invoice_payments', 'disputes', 'early_fraud_warnings', 'connect_accounts', 'account_restrictions', 'owner_assignments',
    'owner_assignment_log', 'reconciliation_findings', 'object_refreshes', 'bitcoin_payments', 'payouts', 'transfers'] LOOP
    EXECUTE format('DROP TRIGGER forgets_erased ON billing.%I', name);
    EXECUTE format('DROP TRIGGER spreads_erasure ON billing.%I', name);
  END LOOP;
END $$;
DROP FUNCTION billing.spread_erasure(), billing.forget_erased(), billing.is_due_for_erasure(text, jsonb),
  billing.is_of_erased(text, jsonb, jsonb), billing.kind_of(text, jsonb, jsonb), billing.id_prefix(jsonb), billing.object_in(jsonb),
  billing.id_in(jsonb), billing.reduced_row(text, jsonb),
  billing.reduced_json(jsonb, text), billing.erasure_treatments(text), billing.pseudonym(text),
  billing.subject_digest(text, text);
DROP TABLE billing.erased_objects, billing.erased_subjects, billing.erasures, billing.erasure_key;
