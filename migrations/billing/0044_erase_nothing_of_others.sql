-- Up Migration
-- An erasure follows from a row of the person to the objects that it names. Two of these are another person's: the charge of a
-- buyer, which a transfer to the seller names, and an object that was assigned to the person once and to another since. Both made
-- the payments of the other person count as those of the erased one.
--
-- Locks: none of a table. Code from before works on. What was reduced so stays reduced; Stripe has it.

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

-- Down Migration
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
