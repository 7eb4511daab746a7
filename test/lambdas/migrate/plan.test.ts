import { createMigrationSite, type MigrationSite } from './migration-site';

let site: MigrationSite;
beforeEach(async () => {
  site = await createMigrationSite();
});
afterEach(() => site.remove());

/** Rows enough that a rewrite takes more than a moment. */
const fill = () =>
  site.client.query(
    `INSERT INTO billing.customers (id, first_seen_at, raw)
     SELECT 'cus_' || n, now(), jsonb_build_object('filler', (SELECT string_agg(md5((n * k)::text), '') FROM generate_series(1, 60) k))
     FROM generate_series(1, 3000) n; ANALYZE billing.customers`,
  );

test('a plan names the locks that PostgreSQL takes and whom they stop, and the database stays as it is', async () => {
  await site.add(
    'add_note',
    '-- Why.\nALTER TABLE billing.customers ADD COLUMN note text;\nCREATE TABLE billing.notes (id int);',
  );

  const { plan, pending, notExamined } = await site.plan();

  expect(notExamined).toBeNull();
  expect(plan).toMatchObject([
    {
      name: pending[0],
      inTransaction: true,
      fails: null,
      statements: [
        {
          sql: 'ALTER TABLE billing.customers ADD COLUMN note text',
          locks: [{ table: 'billing.customers', mode: 'AccessExclusiveLock', stops: 'reads and writes' }],
          seconds: 0,
          loses: [],
        },
        { sql: 'CREATE TABLE billing.notes (id int)', locks: [], seconds: 0 },
      ],
      blocked: [{ table: 'billing.customers', stops: 'reads and writes', seconds: 0 }],
    },
  ]);
  const { rows } = await site.client.query(`SELECT to_regclass('billing.notes') AS relation`);
  expect(rows).toEqual([{ relation: null }]);
});

test('an index, a rewrite and a check take as long as the present size says, for all that is locked before them', async () => {
  await fill();
  await site.add(
    'rework_customers',
    `CREATE INDEX customers_by_raw ON billing.customers (first_seen_at);
     ALTER TABLE billing.customers ALTER COLUMN raw TYPE json;
     ALTER TABLE billing.customers ADD CONSTRAINT has_id CHECK (id <> '');`,
  );

  const [migration] = (await site.plan()).plan;

  const [index, rewrite, check] = migration?.statements ?? [];
  expect(index).toMatchObject({ locks: [{ mode: 'ShareLock', stops: 'writes' }], loses: [] });
  expect(rewrite?.locks).toMatchObject([{ mode: 'AccessExclusiveLock' }]);
  expect(index?.seconds).toBeGreaterThan(0.1);
  expect(rewrite?.seconds).toBeGreaterThanOrEqual(index?.seconds ?? Infinity);
  expect(check?.seconds).toBeGreaterThan(0);
  expect(check?.seconds).toBeLessThan(index?.seconds ?? 0);
  const total = [index, rewrite, check].reduce((sum, each) => sum + (each?.seconds ?? 0), 0);
  expect(migration?.blocked).toEqual([
    { table: 'billing.customers', stops: 'reads and writes', seconds: expect.closeTo(total, 5) },
  ]);
});

test('an index that is built concurrently stops nobody', async () => {
  await fill();
  await site.add(
    'index_customers',
    '-- No transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS customers_seen ON billing.customers (first_seen_at);',
    '-- No transaction\nDROP INDEX CONCURRENTLY IF EXISTS billing.customers_seen;',
  );
  const [migration] = (await site.plan()).plan;
  expect(migration).toMatchObject({ inTransaction: false, blocked: [], fails: null });
  expect(migration?.statements[0]?.seconds).toBeGreaterThan(0);
});

test.each([
  ['ALTER TABLE billing.customers DROP COLUMN raw CASCADE', /^column raw of billing.customers, in about 3,000 rows$/],
  ['DROP TABLE billing.customers CASCADE', /^table billing.customers with about 3,000 rows$/],
  [
    'ALTER TABLE billing.customers ALTER COLUMN raw TYPE json',
    /^values of column raw .* that json does not hold as jsonb did$/,
  ],
  ['DELETE FROM billing.customers', /^the rows that the statement names$/],
])('what "%s" loses is pointed out', async (sql, loss) => {
  await fill();
  await site.add('lose_something', `${sql};`);
  const [migration] = (await site.plan()).plan;
  expect(migration?.fails).toBeNull();
  expect(migration?.statements[0]?.loses).toContainEqual(expect.stringMatching(loss));
});

test('what a migration drops of its own making is no loss', async () => {
  await site.add('try_something', 'CREATE TABLE billing.tried (id int); DROP TABLE billing.tried;');
  expect((await site.plan()).plan[0]?.statements.flatMap(({ loses }) => loses)).toEqual([]);
});

test('a migration that fails says so in its plan, and the one after it is not examined', async () => {
  await site.add('break_something', 'ALTER TABLE billing.nowhere ADD COLUMN a int;');
  await site.add('continue', 'CREATE TABLE billing.later (id int);');
  expect((await site.plan()).plan).toMatchObject([
    { fails: 'relation "billing.nowhere" does not exist', statements: [] },
    { statements: [{ sql: 'CREATE TABLE billing.later (id int)', locks: [] }] },
  ]);
});
