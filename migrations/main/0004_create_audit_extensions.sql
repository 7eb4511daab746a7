-- Up Migration
-- The server writes down who changed what (pgaudit) and which statements take long (pg_stat_statements) once the
-- extensions are created. Where it does not load them, or does not say so, there is nothing to create.
DO $$
DECLARE
  extension text;
BEGIN
  FOREACH extension IN ARRAY ARRAY['pg_stat_statements', 'pgaudit'] LOOP
    IF EXISTS (
      SELECT FROM pg_settings
      WHERE name = 'shared_preload_libraries' AND extension = ANY (string_to_array(replace(setting, ' ', ''), ','))
    ) THEN
      EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I', extension);
    END IF;
  END LOOP;
END $$;

-- Down Migration
DROP EXTENSION IF EXISTS pgaudit;
DROP EXTENSION IF EXISTS pg_stat_statements;
