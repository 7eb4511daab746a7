import { readOtherJournals } from '../../../core/migrations/other-journals';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase('empty');
});
afterAll(() => database.drop());

/** The records as the tools make them, each with one that does not count. */
const RECORDS = `
  CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz,
    migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(),
    applied_steps_count integer NOT NULL DEFAULT 0);
  INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, rolled_back_at) VALUES
    ('1', '', '2026-01-01', '20260101000000_init', NULL), ('2', '', '2026-02-01', '20260201000000_add_orders', NULL),
    ('3', '', NULL, '20260301000000_failed', NULL), ('4', '', '2026-04-01', '20260401000000_taken_back', '2026-04-02');
  CREATE SCHEMA drizzle;
  CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint);
  INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('bbb', 1790000000001), ('aaa', 1790000000000);
  CREATE SCHEMA python;
  CREATE TABLE python.alembic_version (version_num varchar(32) PRIMARY KEY);
  INSERT INTO python.alembic_version VALUES ('ae1027a6acf'), ('1975ea83b712');
  CREATE TABLE knex_migrations (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz);
  INSERT INTO knex_migrations (name, batch) VALUES ('20260101_one.js', 1), ('20260102_two.js', 1);
  CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
    type varchar(20), script varchar(1000), checksum integer, success boolean NOT NULL);
  INSERT INTO flyway_schema_history (installed_rank, version, description, success) VALUES
    (1, '1', 'init', true), (2, '2', 'orders', true), (3, NULL, 'repeatable view', true), (4, '3', 'failed', false);
  CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
  INSERT INTO schema_migrations VALUES ('20260101000000'), ('20260202000000');
  -- No journal: another table of the name.
  CREATE SCHEMA other; CREATE TABLE other.knex_migrations (id int)`;

test('the version of every tool is what it applied last, wherever its record is', async () => {
  const client = await database.client();
  await expect(readOtherJournals(client)).resolves.toEqual([]);
  await client.query(RECORDS);
  const versions = await readOtherJournals(client);
  expect(versions.map(({ tool, journal, version }) => [tool, journal, version])).toEqual([
    ['prisma', 'public._prisma_migrations', '20260201000000_add_orders'],
    ['drizzle', 'drizzle.__drizzle_migrations', '1790000000001 bbb'],
    ['alembic', 'python.alembic_version', '1975ea83b712, ae1027a6acf'],
    ['knex', 'public.knex_migrations', '20260102_two.js'],
    ['flyway', 'public.flyway_schema_history', '2 orders'],
    ['rails', 'public.schema_migrations', '20260202000000'],
  ]);
});

test('a record that the role may not read is left out', async () => {
  const client = await database.client();
  const role = `reader_${process.pid}`;
  await client.query(`CREATE ROLE ${role}; GRANT SELECT ON knex_migrations TO ${role}; SET ROLE ${role}`);
  const found = await readOtherJournals(client);
  await client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
  expect(found.map(({ tool }) => tool)).toEqual(['knex']);
});
