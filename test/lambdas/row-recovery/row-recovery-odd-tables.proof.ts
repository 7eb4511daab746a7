import type { Client } from 'pg';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows } from '../../../lambdas/row-recovery/report';
import { type ArchiveSite, createArchiveSite, noCache } from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';

/** Tables of a company whose keys, rules and triggers are out of the ordinary. */
const TABLES = `CREATE SCHEMA shop; CREATE EXTENSION ltree SCHEMA shop; CREATE EXTENSION citext SCHEMA shop;
  CREATE TABLE shop.slugs (tenant int, name text, slug text GENERATED ALWAYS AS (lower(name)) STORED, PRIMARY KEY (tenant, slug));
  CREATE TABLE shop.paths (path shop.ltree, mail shop.citext, v int, PRIMARY KEY (mail, path));
  CREATE TABLE shop.moved (id int PRIMARY KEY); CREATE TABLE shop.moved_2026 () INHERITS (shop.moved);
  CREATE FUNCTION shop.move() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO shop.moved_2026 VALUES (NEW.id); RETURN NULL; END';
  CREATE TABLE shop.routed (id int PRIMARY KEY); CREATE TABLE shop.routed_2026 (id int);
  CREATE TABLE shop.guarded (id int PRIMARY KEY);
  CREATE FUNCTION shop.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'write protected' USING ERRCODE = 'modifying_sql_data_not_permitted'; END $$;
  CREATE TABLE shop.counted (id int PRIMARY KEY); CREATE TABLE shop.counts (n int);
  CREATE FUNCTION shop.count() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO counts VALUES (NEW.id); RETURN NEW; END';`;
const ROLE = `shopkeeper_${process.pid}`;
const ROWS = `INSERT INTO shop.slugs SELECT n % 2, 'N' || n FROM generate_series(1, 4) n;
  INSERT INTO shop.paths VALUES ('a.b', 'A@example.com', 1), ('a.c', 'A@example.com', 2);
  INSERT INTO shop.moved VALUES (1), (2); INSERT INTO shop.guarded VALUES (1); INSERT INTO shop.routed VALUES (1), (2);
  INSERT INTO shop.counted VALUES (1); CREATE ROLE ${ROLE}; ALTER ROLE ${ROLE} SET search_path = shop`;
const INTRUDER = `intruder_${process.pid}`;
/** What a role can make in a schema of its own, with a path that it can set itself. */
const INTRUSION = `CREATE ROLE ${INTRUDER}; CREATE SCHEMA intrusion AUTHORIZATION ${INTRUDER}; SET ROLE ${INTRUDER};
  CREATE TABLE intrusion.counts (n int); GRANT ALL ON SCHEMA intrusion TO PUBLIC; GRANT ALL ON intrusion.counts TO PUBLIC;
  CREATE FUNCTION intrusion.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'run as %', current_user; END $$;
  CREATE OPERATOR intrusion.= (LEFTARG = text, RIGHTARG = text, FUNCTION = intrusion.same); RESET ROLE`;
const TRIGGERS = `CREATE RULE route AS ON INSERT TO shop.routed DO INSTEAD INSERT INTO shop.routed_2026 VALUES (NEW.id);
  CREATE TRIGGER move BEFORE INSERT ON shop.moved FOR EACH ROW EXECUTE FUNCTION shop.move();
  CREATE TRIGGER count BEFORE INSERT ON shop.counted FOR EACH ROW EXECUTE FUNCTION shop.count();
  CREATE TRIGGER guard BEFORE INSERT ON shop.guarded EXECUTE FUNCTION shop.guard();
  ALTER SCHEMA shop OWNER TO ${ROLE}; ALTER TABLE shop.counted OWNER TO ${ROLE}`;

let site: ArchiveSite;
let client: Client;

beforeAll(async () => {
  site = await createArchiveSite('billing', TABLES);
  client = await site.source.client();
  await client.query(ROWS);
  await site.backup('2026-11-21T06:00:00Z');
  await client.query(TRIGGERS);
  await client.query(INTRUSION);
});

afterAll(async () => {
  await client.query(
    `DROP OWNED BY ${ROLE} CASCADE; DROP ROLE ${ROLE}; DROP OWNED BY ${INTRUDER}; DROP ROLE ${INTRUDER}`,
  );
  await site.remove();
});

const report = (table: string) => reportRows(rowReporting(site), { archive: 'latest', tables: [table] });

function merge(reportId: string) {
  const { connector } = site.source;
  return mergeRows(
    { connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
    { reportId, choose: 'deleted', confirm: 'billing' },
  );
}

test('a key with a generated column is refused: by its other columns, a row would be taken for another', async () => {
  await expect(report('shop.slugs')).rejects.toMatchObject({
    code: 'no_primary_key',
    message: expect.stringContaining('shop.slugs has a generated column in its primary key'),
  });
});

test('rows with keys of types that extensions bring are told apart as the key does', async () => {
  await client.query(`DELETE FROM shop.paths WHERE v = 2; UPDATE shop.paths SET mail = 'a@EXAMPLE.com'`);
  const { reportId, deleted, changed } = await report('shop.paths');
  expect({ deleted, changed }).toEqual({ deleted: 1, changed: 1 });
  expect(await merge(reportId)).toMatchObject({ inserted: 1, conflicts: [] });
  const { rows } = await client.query('SELECT mail::text, path::text FROM shop.paths ORDER BY v');
  expect(rows).toEqual([
    { mail: 'a@EXAMPLE.com', path: 'a.b' },
    { mail: 'A@example.com', path: 'a.c' },
  ]);
});

test.each(['moved', 'routed'])(
  'a merge whose rows a trigger or a rule puts elsewhere is refused, with how many are not stored: shop.%s',
  async (table) => {
    await client.query(`DELETE FROM ONLY shop.${table}`);
    const { reportId } = await report(`shop.${table}`);
    await expect(merge(reportId)).rejects.toMatchObject({
      code: 'merge_refused',
      message: expect.stringContaining(`shop.${table} stored 0 of 2 rows`),
    });
    expect((await client.query(`SELECT FROM shop.${table}`)).rowCount).toBe(0);
  },
);

test('a merge that a function refuses by an error of any class says what it says', async () => {
  await client.query('DELETE FROM shop.guarded');
  const { reportId } = await report('shop.guarded');
  await expect(merge(reportId)).rejects.toMatchObject({
    code: 'merge_refused',
    message: expect.stringContaining('shop.guarded refuses the rows: write protected'),
  });
});

test('a trigger finds in a merge what it finds by the path of the role that the application has', async () => {
  await client.query('DELETE FROM shop.counted');
  const { reportId } = await report('shop.counted');
  expect(await merge(reportId)).toMatchObject({ inserted: 1 });
  expect((await client.query('SELECT n FROM shop.counts')).rows).toEqual([{ n: 1 }]);
});

test('nothing is found by the path of a role in a schema where it could make functions for the merge to run', async () => {
  const { database } = site.source.connector.target;
  await client.query(`ALTER ROLE ${INTRUDER} IN DATABASE ${database} SET search_path = intrusion, pg_catalog`);
  await client.query('DELETE FROM shop.counted; DELETE FROM shop.counts');
  const { reportId } = await report('shop.counted');
  expect(await merge(reportId)).toMatchObject({ inserted: 1 });
  expect((await client.query('SELECT n FROM shop.counts')).rows).toEqual([{ n: 1 }]);
});
