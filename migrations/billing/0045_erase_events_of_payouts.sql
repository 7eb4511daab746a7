-- Up Migration
-- A sweep looked for the account of a payout in the columns of its event, which has none: an event that was not applied, such as
-- `payout.reconciliation_completed`, kept the description of an erased person's payout. It is found now as by the trigger of the
-- table, which reads the account from what the provider sent.
--
-- Locks: none of a table. Code from before works on. The next erasure or replay sweeps the events of people erased earlier, too.

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

-- Down Migration
CREATE OR REPLACE FUNCTION billing.is_due_for_erasure(table_name text, stored jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN billing.is_of_erased(table_name, stored, billing.object_in(stored))
    THEN billing.reduced_row(table_name, stored) <> stored ELSE false END
$$;
