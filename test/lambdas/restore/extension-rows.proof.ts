import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ArchiveSite, createArchiveSite, manifestAt } from '../../factories/archive';
import { asAdministrator } from '../../support/database';

let site: ArchiveSite;
let files: string[];

/** Tables that an extension makes, one of which refers to the other, and a row that every installation has. */
const SCRIPT = `
  CREATE TABLE topics (name text PRIMARY KEY, builtin bool NOT NULL);
  CREATE TABLE layers (topic text REFERENCES topics, n int); CREATE SEQUENCE numbers;
  INSERT INTO topics VALUES ('theirs', true);
  SELECT pg_extension_config_dump('topics', 'WHERE NOT builtin'); SELECT pg_extension_config_dump('layers', '');
  SELECT pg_extension_config_dump('numbers', '')`;

beforeEach(async () => {
  site = await createArchiveSite('main');
  const [row] = await rowsIn<{ folder: string }>(
    'postgres',
    `SELECT setting || '/extension' AS folder FROM pg_config WHERE name = 'SHAREDIR'`,
  );
  const name = `topology_${site.source.name}`;
  files = [`${name}.control`, `${name}--1.0.sql`].map((file) => path.join(row?.folder ?? '', file));
  await writeFile(files[0] ?? '', `default_version = '1.0'\nrelocatable = true\n`);
  await writeFile(files[1] ?? '', SCRIPT);
  await rowsIn(
    site.source.name,
    `CREATE SCHEMA geo; CREATE EXTENSION ${name} SCHEMA geo; INSERT INTO geo.topics VALUES ('ours', false);
     INSERT INTO geo.layers VALUES ('ours', 1), ('theirs', 2); SELECT setval('geo.numbers', 42)`,
  );
});

afterEach(async () => {
  await site.remove();
  for (const file of files) await rm(file, { force: true });
});

async function rowsIn<Row extends object>(database: string, sql: string): Promise<Row[]> {
  return asAdministrator(async (client) => (await client.query<Row>(sql)).rows, database);
}

test('rows that an extension marks as data come back, beside those that it makes itself', async () => {
  const { manifestKey } = await site.backup('2026-11-21T06:00:00Z');
  const { tables } = await manifestAt(site.store, manifestKey);
  expect(tables.filter(({ schema }) => schema === 'geo').map(({ name, rows }) => [name, rows])).toEqual([
    ['topics', 1],
    ['layers', 2],
  ]);
  const { targetDatabase, deviations } = await site.restore();
  expect(deviations).toEqual([]);
  for (const sql of [
    'SELECT * FROM geo.topics ORDER BY name',
    'SELECT * FROM geo.layers ORDER BY n',
    `SELECT nextval('geo.numbers')`,
  ]) {
    expect(await rowsIn(targetDatabase, sql)).toEqual(await rowsIn(site.source.name, sql));
  }
});

test('an extension whose script refuses the database is left out, with its rows, and named; a table that needs it ends the restore', async () => {
  await rowsIn(site.source.name, 'CREATE TABLE public.plain (id int PRIMARY KEY)');
  await site.backup('2026-11-21T06:00:00Z');
  // As that of pg_cron does in any database but one.
  await writeFile(files[1] ?? '', `DO $$ BEGIN RAISE 'can only create extension in database postgres'; END $$;`);
  const { targetDatabase, deviations } = await site.restore();
  const objects = deviations.map(({ object, consequence }) => `${object}: ${consequence}`);
  const extension = `topology_${site.source.name}`;
  expect(objects).toEqual([
    `EXTENSION ${extension}: not made, and nothing of it in schema geo`,
    'TABLE geo.topics: its 1 rows are not loaded',
    'TABLE geo.layers: its 2 rows are not loaded',
    'SEQUENCE geo.numbers: not set to its archived value',
  ]);
  expect(deviations[0]?.reason).toBe('can only create extension in database postgres (SQLSTATE P0001)');
  expect(await rowsIn(targetDatabase, 'SELECT FROM public.plain')).toEqual([]);

  await rowsIn(site.source.name, 'CREATE TABLE public.needing (topic geo.topics)');
  await site.backup('2026-11-21T12:00:00Z');
  await expect(site.restore()).rejects.toMatchObject({
    code: 'schema_not_applied',
    message: expect.stringMatching(
      /^TABLE public\.needing cannot be restored: .*EXTENSION \S+: can only create extension/s,
    ),
  });
});

describe('without an extension whose script refuses the database, a unique index', () => {
  const refuse = () =>
    writeFile(files[1] ?? '', `DO $$ BEGIN RAISE 'can only create extension in database postgres'; END $$;`);

  /** A unique index over a function of this body, which PostgreSQL runs for a row. */
  const indexOver = (body: string) => `CREATE TABLE app.named (name text); INSERT INTO app.named VALUES ('A');
    CREATE FUNCTION app.helper(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE FUNCTION app.wrapped(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN ${body} END $$;
    CREATE UNIQUE INDEX by_name ON app.named (app.wrapped(name));`;

  test('whose function reads a table of the extension is left out and listed', async () => {
    await rowsIn(site.source.name, indexOver('PERFORM FROM geo.topics; RETURN $1;'));
    await site.backup('2026-11-21T06:00:00Z');
    await refuse();
    const { deviations } = await site.restore();
    expect(deviations.map(({ object }) => object)).toContain('INDEX app.by_name');
  });

  test('whose function calls one that was dropped since ends the restore', async () => {
    await rowsIn(site.source.name, `${indexOver('RETURN app.helper($1);')} DROP FUNCTION app.helper(text)`);
    await site.backup('2026-11-21T06:00:00Z');
    await refuse();
    await expect(site.restore()).rejects.toMatchObject({
      code: 'schema_not_applied',
      message: expect.stringMatching(
        /^INDEX app\.by_name cannot be restored: function app\.helper\(text\) does not exist/,
      ),
    });
  });
});
