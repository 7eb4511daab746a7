import type { Client } from 'pg';
import { attachKey, buildIndex, deferIndexes } from '../../../core/restore/indexes';
import { applyCopySettings } from '../../../core/archive/copy-session';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** Indexes that their definition describes completely, and indexes with further properties. */
const TABLE = `
  CREATE SCHEMA shop;
  CREATE FUNCTION shop.shorten(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left(value, 3) $$;
  CREATE TABLE shop."the orders" (
    id int CONSTRAINT "the key" PRIMARY KEY, number int, name text, period int4range, "of" int,
    CONSTRAINT one_number UNIQUE NULLS NOT DISTINCT (number) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT no_overlap EXCLUDE USING gist (period WITH &&)
  );
  CREATE INDEX plain ON shop."the orders" ("of" DESC) INCLUDE (name);
  CREATE UNIQUE INDEX partial ON shop."the orders" (shop.shorten(name)) WHERE number > 5;
  CREATE INDEX commented ON shop."the orders" (name);
  COMMENT ON INDEX shop.commented IS 'asked for by accounting';
  CREATE INDEX packed ON shop."the orders" (name) WITH (fillfactor = 50);
  CREATE INDEX clustered ON shop."the orders" (number);
  ALTER TABLE shop."the orders" CLUSTER ON clustered;
  CREATE TABLE shop.replicated (id int NOT NULL);
  CREATE UNIQUE INDEX identity ON shop.replicated (id);
  ALTER TABLE shop.replicated REPLICA IDENTITY USING INDEX identity;
  CREATE TABLE shop.viewed (id int PRIMARY KEY, name text);
  CREATE VIEW shop.view AS SELECT id, name FROM shop.viewed GROUP BY id;
  CREATE TABLE shop.untouched (id int PRIMARY KEY);`;
const WANTED = ['the orders', 'replicated', 'viewed'].map((name) => ({ schema: 'shop', name }));

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('empty');
  client = await database.client();
  await client.query(TABLE);
  await applyCopySettings(client);
});

afterEach(async () => {
  await database.drop();
});

async function describeIndexes(): Promise<unknown[]> {
  const found = await client.query(
    `SELECT pg_get_indexdef(x.indexrelid) AS index, pg_get_constraintdef(k.oid) AS key, obj_description(x.indexrelid) AS comment,
       x.indisclustered, x.indisreplident, x.indisprimary, x.indimmediate
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_constraint k ON k.conindid = i.oid
     WHERE i.relnamespace = 'shop'::regnamespace ORDER BY i.relname`,
  );
  return found.rows;
}

describe('indexes of a table that is loaded', () => {
  test('are dropped and built again as they were, unless they have properties beyond their definition', async () => {
    const before = await describeIndexes();
    const deferred = await deferIndexes(client, WANTED);
    expect(deferred.map(({ name }) => name)).toEqual(['no_overlap', 'one_number', 'partial', 'plain', 'the key']);
    expect(await describeIndexes()).toHaveLength(before.length - deferred.length);
    for (const index of deferred) await buildIndex(client, index);
    for (const index of deferred) await attachKey(client, index);
    expect(await describeIndexes()).toEqual(before);
  });

  test('refuse rows that violate a key, naming the key', async () => {
    const deferred = await deferIndexes(client, WANTED);
    await client.query(`INSERT INTO shop."the orders" (id, number) VALUES (1, 1), (1, 2)`);
    const primary = deferred.find(({ name }) => name === 'the key');
    const refusal = buildIndex(client, primary ?? fail('the primary key stayed'));
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow('Key the key of shop.the orders does not hold in the archive: Key (id)=(1)');
  });
});

function fail(message: string): never {
  throw new Error(message);
}
