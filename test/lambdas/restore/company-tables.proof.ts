import { verifyDatabase } from '../../../lambdas/verify/core';
import { runDrill } from '../../../lambdas/drill/core';
import { type ArchiveSite, contentOf, createArchiveSite, manifestAt } from '../../factories/archive';
import { schemaFile } from '../../factories/odd-schema';
import { asAdministrator } from '../../support/database';
import { noErasures } from '../../support/erasures';
import { UNUSED_WORKFLOW } from '../../factories/drill';
import { silentLog } from '../../support/log';
import { PG_DUMP_WORKER } from '../../support/schema';

const SLOT = '2026-11-21T06:00:00Z';

/** Tables of every kind beside the platform's, in schemas of the company. */
const TABLES = `
  CREATE SCHEMA shop; CREATE TYPE shop.kind AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  CREATE TABLE shop.parent (id int PRIMARY KEY); CREATE TABLE shop.child (note text) INHERITS (shop.parent);
  CREATE UNLOGGED TABLE shop.cache (id serial PRIMARY KEY, value text);
  CREATE TABLE shop.hashed (kind shop.kind NOT NULL, n int) PARTITION BY HASH (kind);
  CREATE TABLE shop.hashed_0 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE shop.hashed_1 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE FUNCTION shop.is_small(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 1000000';
  CREATE TABLE shop.checked (n int, CONSTRAINT small CHECK (shop.is_small(n)), state varchar(10) CHECK (state IN ('new', 'old')));
  CREATE TABLE shop.large (id int PRIMARY KEY, parent_id int REFERENCES shop.parent, name text UNIQUE);
  CREATE INDEX large_parent ON shop.large (parent_id);
  CREATE MATERIALIZED VIEW shop.totals AS SELECT count(*) AS n FROM shop.large;`;
const ROWS = `
  INSERT INTO public.customers (email) VALUES ('a@example.com'), ('b@example.com');
  INSERT INTO public.orders (customer_id, total) VALUES (1, 10), (2, 20.5);
  INSERT INTO shop.parent VALUES (1); INSERT INTO shop.child VALUES (2, 'two'); INSERT INTO shop.cache (value) VALUES ('v');
  INSERT INTO shop.hashed SELECT kind, n FROM unnest(enum_range(NULL::shop.kind)) AS kind, generate_series(1, 3) AS n;
  INSERT INTO shop.checked VALUES (5, 'new'); INSERT INTO shop.large SELECT n, 1, 'name ' || n FROM generate_series(1, 6000) AS n;
  REFRESH MATERIALIZED VIEW shop.totals;`;

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('main');
  await run(schemaFile('gap-orders') + TABLES);
  await run(ROWS);
});

afterEach(() => site.remove());

function run(sql: string): Promise<unknown> {
  return asAdministrator((client) => client.query(sql), site.source.name);
}

async function rowsIn<Row extends object>(database: string, sql: string): Promise<Row[]> {
  return asAdministrator(async (client) => (await client.query<Row>(sql)).rows, database);
}

function verify(targetDatabase?: string) {
  const { connector } = site.source;
  return verifyDatabase(
    {
      connector: { ...connector, target: { ...connector.target, name: 'main' } },
      migrationsDirectory: site.migrations.directory,
      clock: () => new Date(),
    },
    { targetDatabase },
  );
}

describe('a database with tables of a company beside the platform’s', () => {
  test('is archived, verified, restored, and proven by a drill', async () => {
    expect(await site.backup(SLOT)).toMatchObject({ outcome: 'created', omissions: [] });
    expect(await verify()).toMatchObject({ sound: true, problems: [], notChecked: [] });
    const { targetDatabase, ...report } = await site.restore();
    expect(report).toMatchObject({ rolesCreated: [], deviations: [], schemaDifferences: [] });
    expect(report.foreignKeysValidated).toBeGreaterThan(1);
    const withoutPartitions = async (name: string) => {
      const { 'shop.hashed_0': _, 'shop.hashed_1': __, ...content } = await contentOf(name);
      return content;
    };
    expect(await withoutPartitions(targetDatabase)).toEqual(await withoutPartitions(site.source.name));
    for (const sql of [
      'SELECT kind::text, n FROM shop.hashed ORDER BY 1, 2',
      'SELECT * FROM shop.totals',
      `SELECT nextval('public.orders_id_seq')`,
      `SELECT conname, convalidated FROM pg_constraint WHERE connamespace IN ('shop'::regnamespace, 'public'::regnamespace) ORDER BY 1`,
    ]) {
      expect(await rowsIn(targetDatabase, sql)).toEqual(await rowsIn(site.source.name, sql));
    }
    await expect(rowsIn(targetDatabase, 'DELETE FROM shop.parent WHERE id = 1')).rejects.toThrow('foreign key');
    expect(await verify(targetDatabase)).toMatchObject({ sound: true, problems: [] });
    const { connector } = site.source;
    const drill = await runDrill({
      connector: { ...connector, target: { ...connector.target, name: 'main' } },
      store: site.store,
      migrationsDirectory: site.migrations.directory,
      pgDumpWorker: PG_DUMP_WORKER,
      targetMs: 3_600_000,
      workflow: UNUSED_WORKFLOW,
      erasures: noErasures,
      log: silentLog,
      clock: () => new Date(),
    });
    expect(drill).toMatchObject({ outcome: 'passed', slot: SLOT });
  });

  test('keeps its large objects, with their owners, privileges and comments', async () => {
    const role = `lo_${site.source.name}`;
    await run(`CREATE ROLE ${role}; SELECT lo_from_bytea(4242, convert_to(repeat('0123456789', 60000), 'UTF8'));
      SELECT lo_create(4343); COMMENT ON LARGE OBJECT 4242 IS 'it''s ours'; GRANT SELECT ON LARGE OBJECT 4242 TO ${role};
      ALTER LARGE OBJECT 4343 OWNER TO ${role}; GRANT UPDATE ON LARGE OBJECT 4343 TO PUBLIC; REVOKE SELECT ON LARGE OBJECT 4343 FROM ${role}`);
    const { manifestKey } = await site.backup(SLOT);
    const manifest = await manifestAt(site.store, manifestKey);
    expect(manifest).toMatchObject({ largeObjects: [{ rows: 2 }, { rows: 4 }] });
    const { targetDatabase, deviations } = await site.restore();
    expect(deviations).toEqual([]);
    const sql = `SELECT m.oid, md5(lo_get(m.oid)) AS content, pg_get_userbyid(lomowner) AS owner,
      (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(lomacl) a) AS acl, obj_description(m.oid, 'pg_largeobject') AS comment
      FROM pg_largeobject_metadata m ORDER BY 1`;
    expect(await rowsIn(targetDatabase, sql)).toEqual(await rowsIn(site.source.name, sql));
    await asAdministrator((client) => client.query(`DROP DATABASE ${targetDatabase} WITH (FORCE)`));
    await run(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  test('is restored on a server that lacks its roles, which are made and named', async () => {
    const role = `owner_${site.source.name}`;
    await run(
      `CREATE ROLE ${role} LOGIN; ALTER TABLE shop.parent OWNER TO ${role}; GRANT SELECT ON shop.large TO ${role}`,
    );
    await site.backup(SLOT);
    await run(`REASSIGN OWNED BY ${role} TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    const { targetDatabase, rolesCreated, deviations } = await site.restore();
    expect(rolesCreated).toEqual([role]);
    expect(deviations).toMatchObject([{ object: `ROLE ${role}`, consequence: 'made without LOGIN' }]);
    const owners = `SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = 'shop.parent'::regclass`;
    expect(await rowsIn(targetDatabase, owners)).toEqual([{ owner: role }]);
    await asAdministrator((client) => client.query(`DROP DATABASE ${targetDatabase} WITH (FORCE)`));
    await asAdministrator((client) => client.query(`DROP ROLE ${role}`));
  });

  test('keeps its settings, under which its rows are loaded', async () => {
    await run(`ALTER DATABASE ${site.source.name} SET search_path = shop, public;
      ALTER DATABASE ${site.source.name} SET transaction_timeout = '1s'`);
    await run(`CREATE FUNCTION shop.helper(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
      CREATE FUNCTION shop.outer_check(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN helper(n); END';
      CREATE TABLE shop.unqualified (n int CHECK (shop.outer_check(n))); INSERT INTO shop.unqualified VALUES (1)`);
    await site.backup(SLOT);
    const { targetDatabase } = await site.restore();
    const settings = `SELECT unnest(setconfig) AS setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
      WHERE d.datname = current_database() ORDER BY 1`;
    expect(await rowsIn(targetDatabase, settings)).toEqual(await rowsIn(site.source.name, settings));
    expect(await rowsIn(targetDatabase, 'SELECT n FROM shop.unqualified')).toEqual([{ n: 1 }]);
  });
});
