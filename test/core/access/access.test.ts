import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { applyAccess, refreshGrants, setPassword } from '../../../core/access/apply';
import { readCatalog } from '../../../core/access/catalog';
import { readMatrix } from '../../../core/access/matrix';
import { planAccess, type AccessWishes } from '../../../core/access/plan';
import { IMPERSONAL_JSON, PERSONAL_COLUMNS } from '../../../core/access/personal-columns';
import { ACCESS_POLICIES } from '../../../core/access/policy';
import { ERASURE_POLICY } from '../../../core/erasure/policy';
import { scramVerifier } from '../../../core/access/scram';
import type { DatabaseName } from '../../../core/contract';
import { unservedSources } from '../../../core/entitlements/unowned';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../support/database';
import { loginAs, type Member } from '../../support/access';
import { accessMatrix, accessPage } from '../../docs/access-page';

const NO_WISHES = { logins: [], people: [], keep: [], whole: true } as const;
const databases = {} as Record<DatabaseName, TestDatabase>;
const clients = {} as Record<DatabaseName, Client>;
const members: Member[] = [];

async function member(group: string, database: DatabaseName): Promise<Member> {
  const one = await loginAs(group, databases[database]);
  members.push(one);
  return one;
}

const plan = (name: DatabaseName, wishes: Partial<AccessWishes> = {}) =>
  planAccess(clients[name], ACCESS_POLICIES[name], { ...NO_WISHES, name, ...wishes });

beforeAll(async () => {
  for (const name of ['billing', 'main'] as const) {
    databases[name] = await createTestDatabase(name);
    clients[name] = await databases[name].client();
    await applyAccess(clients[name], (await plan(name)).changes);
  }
});
afterAll(async () => {
  for (const one of members) await one.end();
  await Promise.all(Object.values(databases).map((database) => database.drop()));
});

const REFUSED = expect.objectContaining({ code: '42501' });

test.each(['billing', 'main'] as const)('a second application to %s finds nothing to change', async (name) => {
  await expect(plan(name)).resolves.toEqual({ changes: [], locksOut: [], obstacles: [] });
});

test('people read amounts, and neither names nor what the provider sent, and change nothing', async () => {
  const person = await member('billing_readonly', 'billing');
  await expect(person.query('SELECT id, amount FROM billing.charges')).resolves.toMatchObject({ rowCount: 0 });
  await expect(person.query('SELECT count(*) FROM billing.owned_subscriptions')).resolves.toMatchObject({
    rowCount: 1,
  });
  await expect(person.query('SELECT email FROM billing.customers')).rejects.toEqual(REFUSED);
  await expect(person.query('SELECT raw FROM billing.owned_subscriptions')).rejects.toEqual(REFUSED);
  await expect(person.query('SELECT payload FROM billing.webhook_events')).rejects.toEqual(REFUSED);
  await expect(person.query('SELECT owner_user_id FROM billing.owned_purchases')).rejects.toEqual(REFUSED);
  await expect(person.query('SELECT error FROM billing.payout_retries')).rejects.toEqual(REFUSED);
  await expect(person.query('DELETE FROM billing.charges')).rejects.toEqual(REFUSED);
  await expect(person.query('CREATE TABLE billing.own (id int)')).rejects.toEqual(REFUSED);
  await expect(person.query('CREATE TEMPORARY TABLE own (id int)')).rejects.toEqual(REFUSED);
});

test('the service changes rows, and neither the schema, nor keys, nor what is recorded for good', async () => {
  const service = await member('billing_service', 'billing');
  await service.query(`INSERT INTO billing.job_successes VALUES ('cleanup', now())`);
  await expect(service.query('DELETE FROM billing.job_successes')).resolves.toMatchObject({ rowCount: 1 });
  await expect(service.query('SELECT raw FROM billing.charges')).resolves.toMatchObject({ rowCount: 0 });
  await expect(service.query('SELECT id FROM billing.api_keys')).rejects.toEqual(REFUSED);
  await expect(service.query('DELETE FROM billing.refund_ledger')).rejects.toEqual(REFUSED);
  await expect(service.query('TRUNCATE billing.charges')).rejects.toEqual(REFUSED);
  await expect(service.query('ALTER TABLE billing.charges ADD own int')).rejects.toMatchObject({ code: '42501' });
  await expect(service.query(`INSERT INTO operations.database_identity (name) VALUES ('billing')`)).rejects.toEqual(
    REFUSED,
  );
});

test('the backup reads every table and sequence, and changes none', async () => {
  const backup = await member('billing_backup', 'billing');
  const { relations } = await readCatalog(clients.billing);
  for (const { schema, name } of relations) await backup.query(`SELECT * FROM ${schema}.${name}`);
  expect(relations.length).toBeGreaterThan(30);
  await expect(backup.query('UPDATE billing.charges SET amount = 0')).rejects.toEqual(REFUSED);
});

/** A value of each type of the arguments of functions that views call: a STRICT function would not run with NULL. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  boolean: 'true',
  interval: `interval '1 day'`,
  jsonb: `'{}'`,
  text: `'x'`,
  'timestamp with time zone': 'now()',
};

test.each(ACCESS_POLICIES.billing.groups.map(({ name }) => name))(
  '%s may run what the functions of the views do that it reads',
  async (group) => {
    const one = await member(group, 'billing');
    const { rows } = await clients.billing.query<{ view: string; called: string; types: string[] }>(
      `SELECT DISTINCT v.oid::regclass::text AS view, p.oid::regproc::text AS called,
         ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t) AS types
       FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid
       JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_proc'::regclass
       JOIN pg_proc p ON p.oid = d.refobjid
       WHERE v.relkind = 'v' AND v.relnamespace = 'billing'::regnamespace AND has_table_privilege($1, v.oid, 'SELECT')`,
      [group],
    );
    for (const { called, types } of rows) {
      await one.query(`SELECT FROM ${called}(${types.map((type) => ARGUMENTS[type]).join(', ')})`);
    }
    expect(rows.some(({ view }) => view === 'billing.entitlement_grants')).toBe(/service|backup/.test(group));
  },
);

test('the collector records that it ran, and writes nothing else', async () => {
  const collector = await member('billing_collector', 'billing');
  await collector.query(`INSERT INTO billing.job_successes VALUES ('collector', now())`);
  await expect(collector.query('SELECT email FROM billing.customers')).rejects.toEqual(REFUSED);
  await expect(collector.query('SELECT client_reference_id FROM billing.owned_purchases')).rejects.toEqual(REFUSED);
  await expect(collector.query('UPDATE billing.charges SET amount = 0')).rejects.toEqual(REFUSED);
});

test.each(ACCESS_POLICIES.main.groups.map(({ name }) => name))('%s cannot connect to billing', async (group) => {
  const one = await member(group, 'billing');
  await expect(one.query('SELECT 1')).rejects.toThrow('permission denied for database');
});

test('the collector counts what has no owner', async () => {
  const { billing } = clients;
  await billing.query('SET ROLE billing_collector');
  try {
    await expect(unservedSources(billing, 1)).resolves.toEqual({ count: 0, ids: [] });
  } finally {
    await billing.query('RESET ROLE');
  }
});

test('a role without a grant cannot connect, and PUBLIC has nothing in either database', async () => {
  for (const name of ['billing', 'main'] as const) {
    const { grants } = await readCatalog(clients[name]);
    expect(grants.filter(({ grantee }) => grantee === 'public')).toEqual([]);
    const stranger = await member('pg_checkpoint', name);
    await expect(stranger.query('SELECT 1')).rejects.toThrow('permission denied for database');
  }
});

test('a table of a later migration is covered at once, and its personal columns after the migration', async () => {
  const person = await member('billing_readonly', 'billing');
  const service = await member('billing_service', 'billing');
  await clients.billing.query('CREATE TABLE billing.later (id bigint GENERATED ALWAYS AS IDENTITY, phone text)');
  await expect(person.query('SELECT id FROM billing.later')).resolves.toMatchObject({ rowCount: 0 });
  await service.query(`INSERT INTO billing.later (phone) VALUES ('1')`);
  const policy = ACCESS_POLICIES.billing;
  const withheld = { ...policy.withheld, 'billing.later': ['phone'] };
  await refreshGrants(clients.billing, { ...policy, withheld }, { whole: true });
  await expect(person.query('SELECT id FROM billing.later')).resolves.toMatchObject({ rowCount: 1 });
  await expect(person.query('SELECT phone FROM billing.later')).rejects.toEqual(REFUSED);
  await clients.billing.query('DROP TABLE billing.later');
});

test('a function of a later migration may be called by the groups at once, and by no other role', async () => {
  await clients.billing.query(`CREATE FUNCTION billing.later() RETURNS int LANGUAGE sql RETURN 1;
    CREATE PROCEDURE billing.later_work() LANGUAGE sql AS 'SELECT 1'`);
  const { rows } = await clients.billing.query<{ grantee: string; routine: string }>(
    `SELECT DISTINCT grantee, routine_name AS routine FROM information_schema.routine_privileges
     WHERE routine_name LIKE 'later%' AND grantee <> current_user ORDER BY 1, 2`,
  );
  await clients.billing.query('DROP FUNCTION billing.later; DROP PROCEDURE billing.later_work');
  const groups = ACCESS_POLICIES.billing.groups.map(({ name }) => name).toSorted();
  expect(rows.map(({ grantee, routine }) => [grantee, routine])).toEqual(
    groups.flatMap((group) => ['later', 'later_work'].map((routine) => [group, routine])),
  );
});

const CLOSED = 'ALTER ROUTINE billing.own() SET search_path = pg_catalog, pg_temp and qualify the names in its body';
const TEMPORARY_FIRST = 'finds temporary tables of its caller first: ALTER ROUTINE billing.own() SET search_path =';

test.each([
  ['RESET search_path', `with the search path of its caller: ${CLOSED}`],
  ['SET search_path = pg_catalog', `and ${TEMPORARY_FIRST} pg_catalog, pg_temp`],
  ['SET search_path = pg_temp, billing, pg_temp', `and ${TEMPORARY_FIRST} billing, pg_temp`],
  ['SET search_path = "a,pg_temp"', `and ${TEMPORARY_FIRST} "a,pg_temp", pg_temp`],
  ['SET search_path = open, pg_temp', `and looks for objects in open, where PUBLIC may create them: ${CLOSED}`],
  [
    'SET search_path = "$user", Shared, pg_temp',
    `and looks for objects in shared, where billing_service may create them: ${CLOSED}`,
  ],
])('a procedure that runs as its owner is reported with %s', async (setting, expected) => {
  const { billing } = clients;
  await billing.query(`CREATE SCHEMA shared; GRANT CREATE ON SCHEMA shared TO billing_service;
    CREATE SCHEMA open; GRANT CREATE ON SCHEMA open TO PUBLIC;
    CREATE PROCEDURE billing.own() LANGUAGE sql SECURITY DEFINER SET search_path = shared AS 'SELECT 1';
    ALTER PROCEDURE billing.own() ${setting}`);
  const { obstacles } = await plan('billing');
  await billing.query('ALTER PROCEDURE billing.own() SET search_path = pg_catalog, billing, pg_temp');
  const mended = await plan('billing');
  await billing.query('DROP PROCEDURE billing.own(); DROP SCHEMA shared; DROP SCHEMA open');
  expect(obstacles).toEqual([`billing.own() runs as its owner ${expected}`]);
  expect(mended.obstacles).toEqual([]);
});

test('a procedure that PUBLIC may call is closed to PUBLIC, and those who may look into its schema keep it', async () => {
  const { billing } = clients;
  await billing.query(`CREATE PROCEDURE billing.work(IN days int, OUT done int) LANGUAGE sql AS 'SELECT 1';
    GRANT EXECUTE ON PROCEDURE billing.work TO PUBLIC; REVOKE EXECUTE ON PROCEDURE billing.work FROM billing_service`);
  const what = 'EXECUTE on routine billing.work(IN days integer, OUT done integer)';
  const { changes } = await plan('billing');
  await applyAccess(billing, changes);
  const left = await plan('billing');
  await billing.query('DROP PROCEDURE billing.work');
  expect(changes).toMatchObject([
    { verb: 'revoke', role: 'public', what },
    { verb: 'grant', role: 'billing_service', what },
    { verb: 'grant', role: 'billing_api', what },
  ]);
  expect(left.changes).toEqual([]);
});

test('a password is stored as PostgreSQL itself would store it', async () => {
  const role = `access_scram_${process.pid}`;
  const [byServer, stored] = await asAdministrator(async (administrator) => {
    const storedAs = async () => {
      const sql = 'SELECT rolpassword FROM pg_authid WHERE rolname = $1';
      return (await administrator.query<{ rolpassword: string }>(sql, [role])).rows[0]?.rolpassword ?? '';
    };
    await administrator.query(`CREATE ROLE ${role} PASSWORD 'p-1_x.Y'`);
    const first = await storedAs();
    await setPassword(administrator, role, 'p-1_x.Y');
    const second = await storedAs();
    await administrator.query(`DROP ROLE ${role}`);
    return [first, second];
  });
  const saltOf = (verifier: string) => Buffer.from(/:(.*?)\$/.exec(verifier)?.[1] ?? '', 'base64');
  expect(scramVerifier('p-1_x.Y', saltOf(byServer))).toBe(byServer);
  expect(scramVerifier('p-1_x.Y', saltOf(stored))).toBe(stored);
  expect(saltOf(stored)).not.toEqual(saltOf(byServer));
});

test('every JSON column is said to hold personal data, or not to, and every column named exists', async () => {
  for (const name of ['billing', 'main'] as const) {
    const { rows } = await clients[name].query<{ column: string; json: boolean }>(
      `SELECT format('%s.%s.%s', table_schema, table_name, column_name) AS column, data_type LIKE 'json%' AS json
       FROM information_schema.columns WHERE table_schema !~ '^(pg_|information_schema)'`,
    );
    const personal = Object.entries(PERSONAL_COLUMNS[name]).flatMap(([table, all]) =>
      all.map((one) => `${table}.${one}`),
    );
    const json = rows.filter((row) => row.json).map(({ column }) => column);
    expect(json.filter((column) => ![...personal, ...IMPERSONAL_JSON].includes(column))).toEqual([]);
    expect(personal.filter((column) => !rows.some((row) => row.column === column))).toEqual([]);
  }
});

test('what an erasure drops, blanks or reduces is withheld from people', () => {
  const erased = Object.entries(ERASURE_POLICY).flatMap(([table, columns]) =>
    Object.entries(columns)
      .filter(([, { treatment }]) => ['drop', 'blank', 'reduce'].includes(treatment))
      .map(([column]) => ({ table, column })),
  );
  const readable = (['billing', 'main'] as const).flatMap((name) =>
    erased
      .filter(({ table }) => name === 'billing' || table.startsWith('operations.'))
      .filter(({ table, column }) => !PERSONAL_COLUMNS[name][table]?.includes(column))
      .map(({ table, column }) => `${name}: ${table}.${column}`),
  );
  expect(erased.length).toBeGreaterThan(20);
  expect(readable).toEqual([]);
});

/** Withheld columns that views read to decide or to make another column, which is withheld where it shows them. */
const READ_BY_VIEWS = ['billing.owned_subscriptions reads billing.purchases.client_reference_id'];

test('a view that people read shows no withheld column of its tables', async () => {
  const { rows } = await clients.billing.query<{ view: string; source: string; column: string }>(
    `SELECT DISTINCT v.oid::regclass::text AS view, c.oid::regclass::text AS source, a.attname::text AS column
     FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid
     JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
     JOIN pg_class c ON c.oid = d.refobjid AND c.oid <> v.oid
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
     WHERE v.relkind = 'v' AND v.relnamespace = 'billing'::regnamespace
       AND has_any_column_privilege('billing_readonly', v.oid, 'SELECT')`,
  );
  const withheld = PERSONAL_COLUMNS.billing;
  const read = rows
    .filter(({ source, column }) => withheld[source]?.includes(column))
    .filter(({ view, column }) => !withheld[view]?.includes(column))
    .map(({ view, source, column }) => `${view} reads ${source}.${column}`);
  expect(read).toEqual(READ_BY_VIEWS);
});

test('the matrix says who may call a function or a procedure', async () => {
  const { billing } = clients;
  await billing.query(`CREATE PROCEDURE billing.work(IN days int, OUT done int) LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION billing."Own"(at timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1';
    GRANT EXECUTE ON FUNCTION billing."Own" TO PUBLIC; REVOKE EXECUTE ON PROCEDURE billing.work FROM billing_readonly`);
  const matrix = await readMatrix(billing, ACCESS_POLICIES.billing, ['billing_readonly', 'billing_service', 'public']);
  await billing.query('DROP FUNCTION billing."Own"; DROP PROCEDURE billing.work');
  const called = { actions: ['EXECUTE'] };
  expect(matrix).toEqual(
    expect.arrayContaining([
      {
        object: 'billing."Own"(at timestamp with time zone)',
        kind: 'function',
        cells: [called, called, called],
      },
      {
        object: 'billing.work(IN days integer, OUT done integer)',
        kind: 'procedure',
        cells: [{ actions: [] }, called, { actions: [] }],
      },
    ]),
  );
});

test('the matrix of docs/access.md is what PostgreSQL answers; npx tsx test/docs/write-access.ts writes it again', async () => {
  const written = readFileSync(path.resolve(__dirname, '../../../docs/access.md'), 'utf8');
  expect(linesOf(written)).toEqual(linesOf(accessPage(written, await accessMatrix(clients))));
});

/** Without what the formatter decides. */
function linesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => line.replaceAll(/[\s:-]+|\\/g, ' ').trim() || []);
}
