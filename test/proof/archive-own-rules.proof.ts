import { normaliseSlot } from '../../core/archive/slot';
import { manifestKey } from '../../core/archive/keys';
import { applyMigrations } from '../../core/migrations/runner';
import { captureCurrent } from '../../core/schema/capture';
import { compareSchemas, formatDifferences } from '../../core/schema/compare';
import { withLateChecks } from '../../core/schema/dump/late-checks';
import { uploadSchema } from '../../lambdas/backup/upload-schema';
import { createConnector } from '../../core/database/connector';
import { type ArchiveSite, contentOf, createForeignSite, manifestAt, replaceManifest } from '../factories/archive';
import { SteppedRestore } from '../factories/stepped-restore';
import { asAdministrator, clusterSecrets, clusterTarget } from '../support/database';
import { createMasterRole, secretsOf } from '../support/roles';
import { captureThrough, PG_DUMP_WORKER } from '../support/schema';

const SLOT = '2026-11-21T06:00:00Z';

/** What a company's database may have that depends on more than one row, or on more than this server. */
const COMPANY = `
  ALTER SCHEMA public OWNER TO postgres; CREATE SCHEMA shop; SET search_path = shop;
  DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shop', current_database());
    EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Europe/Berlin''', current_database()); END $$;
  CREATE TABLE shop.zones (code text PRIMARY KEY); INSERT INTO shop.zones VALUES ('de'), ('at');
  CREATE FUNCTION shop.known(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM zones WHERE code = $1)';
  CREATE TABLE shop.addresses (id int PRIMARY KEY, zone text, CONSTRAINT known CHECK (shop.known(zone)), filler text);
  INSERT INTO shop.addresses SELECT n, 'de', repeat('x', 100) FROM generate_series(1, 2000) n;
  CREATE TABLE shop.days (at timestamptz CONSTRAINT midnight CHECK (date_trunc('day', at) = at));
  SET TimeZone = 'Europe/Berlin'; INSERT INTO shop.days VALUES ('2026-07-01'); RESET TimeZone;
  CREATE TABLE shop.tenants (name text, CONSTRAINT own CHECK (name = current_setting('shop.tenant')));
  SET shop.tenant = 'a'; INSERT INTO shop.tenants VALUES ('a'); SET shop.tenant = 'b'; INSERT INTO shop.tenants VALUES ('b');
  CREATE FUNCTION shop.is_code(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
  CREATE DOMAIN shop.code AS text CONSTRAINT form CHECK (shop.is_code(VALUE));
  COMMENT ON CONSTRAINT form ON DOMAIN shop.code IS 'as printed';
  CREATE TABLE shop.items (code shop.code, was shop.code DEFAULT 'none'); INSERT INTO shop.items VALUES ('A'), ('B');
  CREATE FUNCTION shop.positive(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
  CREATE DOMAIN shop.count AS int CHECK (shop.positive(VALUE)); CREATE TABLE shop.counts (all_of shop.count[]);
  INSERT INTO shop.counts VALUES ('{1,2}');
  CREATE TABLE shop.parent (id int, CONSTRAINT own CHECK (shop.positive(id)), CONSTRAINT up CHECK (shop.positive(id + 1)));
  CREATE TABLE shop.child (id int, CONSTRAINT own CHECK (shop.positive(id))) INHERITS (shop.parent);
  CREATE TABLE shop.parts (id int, CONSTRAINT of_parts CHECK (shop.positive(id))) PARTITION BY LIST (id);
  CREATE TABLE shop.part PARTITION OF shop.parts FOR VALUES IN (1); INSERT INTO shop.parts VALUES (1); INSERT INTO shop.child VALUES (2);
  CREATE TYPE shop.kind AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'); CREATE TYPE shop.pair AS (kind shop.kind, n int);
  CREATE TABLE shop.listed (v shop.kind[]) PARTITION BY HASH (v); CREATE TABLE shop.paired (v shop.pair) PARTITION BY HASH (v);
  CREATE FUNCTION shop.fold(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN plain($1); END';
  CREATE FUNCTION shop.plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
  CREATE STATISTICS shop.folded ON (shop.fold(zone)), (id % 7) FROM shop.addresses;
  CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere;
  CREATE FOREIGN TABLE shop.remote (id serial, v text, CONSTRAINT there CHECK (shop.positive(id))) SERVER elsewhere;
  CREATE VIEW shop.broken AS SELECT 1 / (SELECT 0) AS id; CREATE SEQUENCE shop.of_view OWNED BY shop.broken.id`;

const PARTITIONS = `DO $$ BEGIN
    FOR n IN 0..6 LOOP
      EXECUTE format('CREATE TABLE shop.listed_%s PARTITION OF shop.listed FOR VALUES WITH (MODULUS 7, REMAINDER %s)', n, n);
      EXECUTE format('CREATE TABLE shop.paired_%s PARTITION OF shop.paired FOR VALUES WITH (MODULUS 7, REMAINDER %s)', n, n);
    END LOOP;
  END $$;
  INSERT INTO shop.listed SELECT ARRAY[kind] FROM unnest(enum_range(NULL::shop.kind)) kind;
  INSERT INTO shop.paired SELECT (kind, 1)::shop.pair FROM unnest(enum_range(NULL::shop.kind)) kind;
  CREATE OR REPLACE FUNCTION shop.is_code(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT length($1) > 5'`;

/** What holds for new rows alone: codes are shorter than the function wants them by now, and each tenant met a setting of its own. */
const UNCHECKED = ['CHECK CONSTRAINT shop.code form', 'CHECK CONSTRAINT shop.tenants own'];

let site: ArchiveSite;

beforeAll(async () => {
  site = await createForeignSite(COMPANY);
  await asAdministrator((client) => client.query(PARTITIONS), site.source.name);
  await applyMigrations(await site.source.client(), 'main', site.migrations.directory, { adopt: site.source.name });
  await site.backup(SLOT);
});

afterAll(() => site.remove());

/** Rows by table; of partitions whose rows the ids of an enum's values divide, those of all together. */
async function rowsOf(database: string): Promise<Record<string, string[]>> {
  const divided = Object.entries(await contentOf(database)).map(([table, rows]) => ({
    table: table.replace(/_\d$/, ''),
    rows,
  }));
  const all = Object.groupBy(divided, ({ table }) => table);
  return Object.fromEntries(
    Object.entries(all).map(([table, parts = []]) => [table, parts.flatMap(({ rows }) => rows).toSorted()]),
  );
}

test('rows come back that a check, computed alone or later, would refuse, and the check holds for new ones', async () => {
  const { targetDatabase, deviations, schemaDifferences } = await site.restore();
  expect(deviations.map(({ object }) => object).toSorted()).toEqual([...UNCHECKED, 'TABLE shop.addresses']);
  expect(schemaDifferences).toEqual([]);
  expect(await rowsOf(targetDatabase)).toEqual(await rowsOf(site.source.name));
  const { connector } = site.source;
  const differences = compareSchemas(await captureThrough(connector), await captureThrough(connector, targetDatabase));
  expect(differences.map(({ kind, object }) => `${kind}: ${object}`).toSorted()).toEqual(
    UNCHECKED.map((object) => `changed: ${object}`),
  );
  await expect(
    asAdministrator((client) => client.query(`INSERT INTO shop.items VALUES ('C')`), targetDatabase),
  ).rejects.toThrow('form');
});

test('a check that a partition has of its parent is not judged: nothing is written of it, and there may be thousands', async () => {
  const checks =
    withLateChecks(`SELECT c.conrelid::regclass::text AS holder, conname, conislocal, convalidated FROM pg_catalog.pg_constraint c
    WHERE contype = 'c' ORDER BY c.conrelid, c.conname`);
  const { rows } = await asAdministrator((client) => client.query(checks ?? ''), site.source.name);
  const late = rows.filter(({ conname, convalidated }) => conname === 'of_parts' && !convalidated);
  expect(late.map(({ holder }) => holder)).toEqual(['parts']);
});

test('a restore in many calls makes and lists the same', async () => {
  const target = `${site.source.name}_stepped`;
  const connector = createConnector(clusterTarget(site.source.name, 'main'), clusterSecrets(), 'test');
  const main = { ...site, source: { ...site.source, connector } };
  try {
    const { deviations, schemaDifferences } = await new SteppedRestore(main, target).run();
    expect(deviations.map(({ object }) => object).toSorted()).toEqual([...UNCHECKED, 'TABLE shop.addresses']);
    expect(schemaDifferences).toEqual([]);
    expect(await rowsOf(target)).toEqual(await rowsOf(site.source.name));
  } finally {
    await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${target} WITH (FORCE)`));
  }
});

test('a role that may not own schema public, nor make a foreign table, restores all else but what belongs to the table', async () => {
  const { name } = await createMasterRole();
  const connector = createConnector(clusterTarget(site.source.name, 'main'), secretsOf(name, 'p'), 'test');
  const { targetDatabase, deviations } = await site.restore('latest', { connector });
  expect(deviations.map(({ object }) => object)).toEqual(
    expect.arrayContaining([
      'FOREIGN TABLE shop.remote',
      'SEQUENCE OWNED BY shop.remote_id_seq',
      'DEFAULT shop.remote id',
    ]),
  );
  expect(await rowsOf(targetDatabase)).toEqual(await rowsOf(site.source.name));
});

test('an archive from before, whose tables have all of their checks, is restored as long as its rows meet them', async () => {
  const earlier =
    await createForeignSite(`CREATE FUNCTION public.positive(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
    CREATE TABLE public.t (id int CONSTRAINT positive CHECK (public.positive(id))); INSERT INTO public.t VALUES (1)`);
  try {
    const { store, source } = earlier;
    await applyMigrations(await source.client(), 'main', earlier.migrations.directory, { adopt: source.name });
    await earlier.backup(SLOT);
    const manifest = await manifestAt(store, manifestKey('main', normaliseSlot(SLOT)));
    if (manifest.version === 1) throw new Error('The archive has no schema');
    const { connector } = source;
    const { facts, ...texts } = await captureCurrent({ connector, workerFile: PG_DUMP_WORKER, lateChecks: false });
    const { lateChecks: _, ...formerFacts } = facts;
    const archive = {
      database: 'main',
      slot: manifest.slot,
      attempt: manifest.attempt,
      retainUntil: new Date(),
    } as const;
    const schema = {
      ...(await uploadSchema(store, texts, archive)),
      facts: formerFacts,
    };
    expect(texts.before).toContain('CONSTRAINT positive CHECK');
    await replaceManifest(store, { ...manifest, schema } as typeof manifest);
    const { targetDatabase, schemaDifferences } = await earlier.restore();
    expect(schemaDifferences).toEqual([]);
    const present = await captureThrough(connector, targetDatabase);
    expect(formatDifferences(compareSchemas(await captureThrough(connector), present))).toBe('');
  } finally {
    await earlier.remove();
  }
});

test('a database of another encoding and provider of locales than the target’s own is restored with both', async () => {
  const latin = await createForeignSite('SELECT 1');
  const { name } = latin.source;
  try {
    await asAdministrator(async (client) => {
      await client.query(`DROP DATABASE ${name}`);
      await client.query(
        `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc`,
      );
    });
    await asAdministrator(
      (client) => client.query(`CREATE TABLE public.straßen ("Größe" text); INSERT INTO straßen VALUES ('Weiß & Süß')`),
      name,
    );
    await applyMigrations(await latin.source.client(), 'main', latin.migrations.directory, { adopt: name });
    await latin.backup(SLOT);
    const { targetDatabase } = await latin.restore();
    expect(await contentOf(targetDatabase)).toEqual(await contentOf(name));
    const { rows } = await asAdministrator((client) =>
      client.query(
        `SELECT datlocprovider AS provider, pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = $1`,
        [targetDatabase],
      ),
    );
    expect(rows).toEqual([{ provider: 'c', encoding: 'LATIN1' }]);
  } finally {
    await latin.remove();
  }
});

test('rows are loaded whose checks and generated values need the path of the role that stores them', async () => {
  const role = `path_${process.pid}`;
  const other = await createForeignSite(`CREATE SCHEMA shop;
    CREATE FUNCTION shop.plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
    CREATE FUNCTION shop.fold(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN plain($1); END';
    CREATE TABLE shop.names (name text CHECK (shop.fold(name) <> 'x'), folded text GENERATED ALWAYS AS (shop.fold(name)) STORED);
    CREATE ROLE ${role}; ALTER ROLE ${role} SET search_path = shop; GRANT ALL ON shop.names TO ${role};
    SET search_path = shop; INSERT INTO shop.names VALUES ('A')`);
  const { name } = other.source;
  try {
    await applyMigrations(await other.source.client(), 'main', other.migrations.directory, { adopt: name });
    await other.backup(SLOT);
    const { targetDatabase, deviations } = await other.restore();
    expect(deviations).toEqual([]);
    expect(await contentOf(targetDatabase)).toEqual(await contentOf(name));
  } finally {
    await other.remove();
    await asAdministrator((client) => client.query(`DROP ROLE ${role}`));
  }
});
