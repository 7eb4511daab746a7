-- Up Migration
-- An erasure left events that say nothing of a person but a card. The event that says whose the card is holds nothing to reduce, so a
-- sweep passed it over, and did not remember the card; and what it found late in a table, it did not look for in the rows before.
-- Now a sweep remembers the objects of every row of an erased person, and then looks for those that are new in all tables, until it
-- finds no other. An event that arrives later with such a card is reduced as it is written.
--
-- Writes of events take no longer the longer, the more objects erased people had: each read all of them, for lack of an index.
--
-- A card that was attached to another customer since is that person's: what names it alone is left as it is, and so is what
-- names the other customer with it.
--
-- Locks: ACCESS EXCLUSIVE of `erased_objects`, which has a row for each object of an erased person, and of `erasures`, for a moment:
-- events and rows wait once anybody was erased. Replaced functions take no lock of a table. Older code goes on as before.

-- Whether the rows of all tables were looked through for those that refer to the object, and by which sweeps they are now. Objects
-- from before are looked for as well.
ALTER TABLE billing.erased_objects
  ADD COLUMN sought boolean NOT NULL DEFAULT false,
  ADD COLUMN seekers uuid[] NOT NULL DEFAULT '{}';
CREATE INDEX erased_objects_to_seek ON billing.erased_objects (id) WHERE NOT sought;

-- When people were erased from the main database, and the reports of row recovery deleted; `finished_at` is about this database alone. A
-- replay here finished what an erasure had begun, which was killed before it came to both, and it counted as done everywhere.
ALTER TABLE billing.erasures
  ADD COLUMN main_at timestamptz,
  ADD COLUMN reports_at timestamptz;
UPDATE billing.erasures SET main_at = finished_at, reports_at = finished_at WHERE finished_at IS NOT NULL;

-- The functions below without a path of their own become part of the statements that call them.

-- An event as billing.is_of_erased takes it. The account of a payout is named by the event, not by its object; on events of other
-- types, the account is the seller. A card that is detached has no customer any more.
CREATE FUNCTION billing.event_in(provider text, id text, type text, object_id text, payload jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('provider', provider, 'id', id, 'type', type, 'object_id', object_id,
    'account_id', CASE WHEN type ~ '^(payout|account)[.]' THEN CASE provider WHEN 'stripe' THEN '' ELSE provider || ':' END
      || coalesce(payload ->> 'account', payload #>> '{data,object,account_id}', payload #>> '{data,account_id}', payload ->> 'account_id') END,
    'customer_id', CASE type WHEN 'payment_method.detached' THEN payload #>> '{data,previous_attributes,customer}' END)
$$;

-- The card that an object is, or the one that it names in place of a customer.
CREATE FUNCTION billing.card_in(kind text, object jsonb, prefix text, customer text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT prefix || CASE WHEN kind IN ('payment_method', 'source') THEN object ->> 'id'
    WHEN customer IS NULL THEN coalesce(billing.id_in(object -> 'payment_method'), object ->> 'payment_method_id') END
$$;

-- Ids of the objects that a row refers to, itself among them.
CREATE FUNCTION billing.references_in(stored jsonb, object jsonb, prefix text, kind text, card text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY[
    stored ->> 'id', stored ->> 'object_id', stored ->> 'charge_id', stored ->> 'payment_intent_id',
    stored ->> 'invoice_id', stored ->> 'subscription_id', stored ->> 'latest_charge_id', stored ->> 'account_id', stored ->> 'source_id',
    stored ->> 'payout_id', card,
    prefix || (object ->> 'id'), prefix || coalesce(billing.id_in(object -> 'charge'), object ->> 'charge_id'),
    prefix || coalesce(billing.id_in(object -> 'payment_intent'), object ->> 'payment_intent_id'),
    prefix || coalesce(billing.id_in(object -> 'subscription'), object ->> 'subscription_id'),
    billing.id_in(object -> 'invoice'), billing.id_in(object -> 'latest_charge'), billing.id_in(object -> 'account'),
    CASE kind WHEN 'transfer' THEN billing.id_in(object -> 'destination') END,
    billing.id_in(object -> 'source_transaction'), billing.id_in(object #> '{payment,payment_intent}'),
    billing.id_in(object #> '{parent,subscription_details,subscription}')]
$$;

-- Ids that are an erased person's where a row is, with nulls.
CREATE FUNCTION billing.own_ids(table_name text, stored jsonb, object jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT ARRAY[
    stored ->> 'payment_intent_id', stored ->> 'latest_charge_id', stored ->> 'subscription_id',
    -- A seller's transfer names the charge of the buyer.
    CASE WHEN table_name <> 'transfers' THEN stored ->> 'charge_id' END, stored ->> 'invoice_id',
    -- The log of assignments also has owners whose object was assigned to another since.
    CASE WHEN table_name = 'owner_assignments' THEN stored ->> 'object_id'
      WHEN table_name = 'bitcoin_payments' THEN stored ->> 'id'
      WHEN stored ? 'version' AND table_name <> 'account_restrictions' THEN stored ->> 'id' END,
    -- Never the id of what people share, such as a product, an application or a capability.
    CASE WHEN billing.kind_of(table_name, stored, object) IN (
      'account', 'bank_account', 'card', 'charge', 'checkout.session', 'credit_note', 'customer', 'dispute', 'invoice',
      'invoice_payment', 'invoiceitem', 'mandate', 'payment_intent', 'payment_method', 'person', 'quote',
      'radar.early_fraud_warning', 'refund', 'setup_intent', 'source', 'subscription', 'subscription_schedule', 'tax_id')
    THEN billing.id_prefix(stored) || (object ->> 'id') END,
    -- A mandate names nothing else.
    CASE WHEN billing.kind_of(table_name, stored, object) IN ('charge', 'payment_intent', 'setup_intent')
      THEN billing.id_prefix(stored) || coalesce(billing.id_in(object -> 'payment_method'), object ->> 'payment_method_id') END]
$$;

-- Whether an event about a card names a customer who was not erased, other than the given ones.
CREATE FUNCTION billing.is_card_of_another(card text, own text[] DEFAULT '{}') RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM billing.webhook_events AS told
    CROSS JOIN LATERAL (SELECT CASE told.provider WHEN 'stripe' THEN '' ELSE told.provider || ':' END || coalesce(
      billing.id_in(told.payload #> '{data,object,customer}'), told.payload #>> '{data,customer_id}',
      CASE told.type WHEN 'payment_method.detached' THEN told.payload #>> '{data,previous_attributes,customer}' END)) AS named (customer)
    WHERE told.object_id = card AND customer IS NOT NULL AND customer <> ALL (own)
      AND NOT EXISTS (SELECT FROM billing.erased_subjects AS erased
        WHERE erased.digest = billing.subject_digest('customer', customer)))
$$;

CREATE OR REPLACE FUNCTION billing.is_of_erased(table_name text, stored jsonb, object jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  prefix text := billing.id_prefix(stored);
  kind text := billing.kind_of(table_name, stored, object);
  customer text := coalesce(stored ->> 'customer_id',
    prefix || coalesce(billing.id_in(object -> 'customer'), object ->> 'customer_id'));
  -- A trigger gives the table as a name, whose collation every text here would have: of another collation, no index is used.
  card text COLLATE "default" := billing.card_in(kind, object, prefix, customer);
  references_of text[] COLLATE "default";
  email text;
  users text[];
  began timestamptz;
BEGIN
  references_of := billing.references_in(stored, object, prefix, kind, card);
  IF EXISTS (SELECT FROM unnest(references_of) AS given (id)
      CROSS JOIN LATERAL (SELECT FROM billing.erased_objects AS known WHERE known.id = given.id LIMIT 1) AS known
      WHERE given.id IS DISTINCT FROM card) THEN
    RETURN true;
  END IF;
  -- A card alone says whose something is, unless it is another's by now. Not in one query, which PostgreSQL would plan by calling the function.
  IF card IS NOT NULL AND customer IS NULL THEN
    IF EXISTS (SELECT FROM billing.erased_objects AS known WHERE known.id = card) THEN
      IF NOT billing.is_card_of_another(card) THEN RETURN true; END IF;
    END IF;
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

CREATE OR REPLACE FUNCTION billing.forget_erased() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  incoming jsonb;
  object jsonb;
  reduced jsonb;
  tally jsonb;
BEGIN
  IF NOT EXISTS (SELECT FROM billing.erased_subjects) THEN RETURN NEW; END IF;
  IF TG_TABLE_NAME = 'webhook_events' THEN
    -- Of nearly every event nothing more than this is asked.
    object := coalesce(NEW.payload #> '{data,object}', NEW.payload #> '{data}', '{}');
    IF NOT billing.is_of_erased(TG_TABLE_NAME,
        billing.event_in(NEW.provider, NEW.id, NEW.type, NEW.object_id, NEW.payload), object) THEN
      RETURN NEW;
    END IF;
    PERFORM set_config('erasure.events', 'met', true);
    incoming := to_jsonb(NEW);
  ELSE
    incoming := to_jsonb(NEW);
    object := billing.object_in(incoming);
    IF NOT billing.is_of_erased(TG_TABLE_NAME, incoming, object) THEN RETURN NEW; END IF;
  END IF;
  INSERT INTO billing.erased_objects (id)
  SELECT DISTINCT id FROM unnest(billing.own_ids(TG_TABLE_NAME, incoming, object)) AS named (id)
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

-- Whether a stored row belongs to an erased person.
CREATE FUNCTION billing.is_row_of_erased(table_name text, stored jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT billing.is_of_erased(table_name, CASE table_name WHEN 'webhook_events' THEN billing.event_in(
      stored ->> 'provider', stored ->> 'id', stored ->> 'type', stored ->> 'object_id', stored -> 'payload') ELSE stored END,
    billing.object_in(stored))
$$;

-- Whether a stored row has to be reduced, or has an object that has to be remembered.
CREATE OR REPLACE FUNCTION billing.is_due_for_erasure(table_name text, stored jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN billing.is_row_of_erased(table_name, stored)
    THEN billing.reduced_row(table_name, stored) <> stored
      OR EXISTS (SELECT FROM unnest(billing.own_ids(table_name, stored, billing.object_in(stored))) AS own (id)
        WHERE own.id IS NOT NULL AND NOT EXISTS (SELECT FROM billing.erased_objects AS known WHERE known.id = own.id))
    ELSE false END
$$;

-- Whether a stored row refers to an object that a sweep looks for.
CREATE FUNCTION billing.is_sought(table_name text, stored jsonb, seeker uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  object jsonb := billing.object_in(stored);
  facts jsonb := CASE table_name WHEN 'webhook_events' THEN billing.event_in(
    stored ->> 'provider', stored ->> 'id', stored ->> 'type', stored ->> 'object_id', stored -> 'payload') ELSE stored END;
  prefix text := billing.id_prefix(stored);
  kind text := billing.kind_of(table_name, stored, object);
  customer text := coalesce(facts ->> 'customer_id', billing.id_in(object -> 'customer'), object ->> 'customer_id');
  references_of text[] := billing.references_in(facts, object, prefix, kind, billing.card_in(kind, object, prefix, customer));
BEGIN
  RETURN EXISTS (SELECT FROM unnest(references_of) AS given (id)
    CROSS JOIN LATERAL (SELECT FROM billing.erased_objects AS known
      WHERE known.id = given.id AND seeker = ANY (known.seekers) LIMIT 1) AS known);
END $$;

REVOKE ALL ON FUNCTION
  billing.event_in(text, text, text, text, jsonb), billing.card_in(text, jsonb, text, text),
  billing.references_in(jsonb, jsonb, text, text, text), billing.own_ids(text, jsonb, jsonb),
  billing.is_card_of_another(text, text[]), billing.is_row_of_erased(text, jsonb), billing.is_sought(text, jsonb, uuid) FROM PUBLIC;

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

CREATE OR REPLACE FUNCTION billing.forget_erased() RETURNS trigger
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
    -- A seller's transfer names the charge of the buyer.
    CASE WHEN TG_TABLE_NAME <> 'transfers' THEN incoming ->> 'charge_id' END, incoming ->> 'invoice_id',
    -- The log of assignments also has owners whose object was assigned to another since.
    CASE WHEN TG_TABLE_NAME = 'owner_assignments' THEN incoming ->> 'object_id'
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

CREATE OR REPLACE FUNCTION billing.is_due_for_erasure(table_name text, stored jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN billing.is_of_erased(table_name,
      -- As in billing.forget_erased.
      CASE table_name WHEN 'webhook_events' THEN jsonb_build_object('id', stored ->> 'id', 'object_id', stored ->> 'object_id',
        'provider', stored ->> 'provider', 'type', stored ->> 'type', 'account_id', CASE
          WHEN stored ->> 'type' ~ '^(payout|account)[.]' THEN billing.id_prefix(stored)
            || coalesce(stored #>> '{payload,account}', billing.object_in(stored) ->> 'account_id', stored #>> '{payload,account_id}') END)
      ELSE stored END, billing.object_in(stored))
    THEN billing.reduced_row(table_name, stored) <> stored ELSE false END
$$;

DROP FUNCTION billing.is_sought(text, jsonb, uuid), billing.is_row_of_erased(text, jsonb), billing.is_card_of_another(text, text[]),
  billing.own_ids(text, jsonb, jsonb), billing.references_in(jsonb, jsonb, text, text, text),
  billing.card_in(text, jsonb, text, text), billing.event_in(text, text, text, text, jsonb);
ALTER TABLE billing.erased_objects DROP COLUMN sought, DROP COLUMN seekers;
ALTER TABLE billing.erasures DROP COLUMN main_at, DROP COLUMN reports_at;
