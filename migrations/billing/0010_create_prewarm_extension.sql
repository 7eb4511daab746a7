-- Up Migration
-- A recovered instance loads its disk lazily. With this extension its indexes can be read as a whole before customers
-- need them; it is part of the database, because an instance is recovered with what it had. Where the server lacks it,
-- or the role may not create it, indexes warm up as they are used.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_prewarm') THEN
    CREATE EXTENSION IF NOT EXISTS pg_prewarm;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'pg_prewarm is not created: the role may not';
END $$;

-- Down Migration
DROP EXTENSION IF EXISTS pg_prewarm;
