import { createMigrationSite, type MigrationSite } from './migration-site';

let site: MigrationSite;
beforeEach(async () => {
  site = await createMigrationSite();
});
afterEach(() => site.remove());

const relation = async (name: string) =>
  (await site.client.query<{ found: string | null }>('SELECT to_regclass($1)::text AS found', [name])).rows[0]?.found;

test('the last migration is taken back once, with its record, and can be applied again', async () => {
  const name = await site.add('create_notes', 'CREATE TABLE billing.notes (id int);', 'DROP TABLE billing.notes;');
  await site.apply();
  await site.client.query('INSERT INTO billing.notes SELECT generate_series(1, 10); ANALYZE billing.notes');

  const dry = await site.rollBack();
  expect(dry).toMatchObject({ dryRun: true, current: name, down: { blocked: [{ table: 'billing.notes' }] } });
  expect(dry.down?.statements[0]?.loses).toEqual(['table billing.notes with about 10 rows']);
  expect(Math.abs(Date.now() - Date.parse(dry.appliedAt))).toBeLessThan(60_000);
  expect(await relation('billing.notes')).toBe('billing.notes');

  const done = await site.rollBack({ dryRun: false, name });
  expect(done).toMatchObject({ dryRun: false, pending: [name] });
  expect(await relation('billing.notes')).toBeNull();
  await expect(site.rollBack({ dryRun: false, name })).rejects.toMatchObject({ code: 'migration_not_last' });

  expect(await site.apply()).toMatchObject({ current: name });
  expect((await site.validate()).problems).toEqual([]);
});

test('an index that was left invalid by its build is a problem of the schema', async () => {
  await site.client.query(
    `INSERT INTO billing.customers (id, first_seen_at) VALUES ('one', 'epoch'), ('two', 'epoch')`,
  );
  const build = 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS customers_seen ON billing.customers (first_seen_at)';
  await site.add('index_customers', `-- No transaction\n${build};`, 'DROP INDEX IF EXISTS billing.customers_seen;');
  await expect(site.apply()).rejects.toMatchObject({ code: 'migration_failed' });
  expect((await site.validate()).problems).toEqual([
    expect.stringMatching(/^The index billing\.customers_seen is invalid: its build failed, or is under way\. /),
  ]);

  await site.client.query(`DELETE FROM billing.customers WHERE id = 'two'`);
  await site.apply();
  expect((await site.validate()).problems).toEqual([]);
});

test('a down part that fails changes nothing', async () => {
  const name = await site.add(
    'create_notes',
    'CREATE TABLE billing.notes (id int);',
    'DROP TABLE billing.notes; DROP TABLE billing.nowhere;',
  );
  await site.apply();
  await expect(site.rollBack({ dryRun: false, name })).rejects.toMatchObject({ code: 'migration_failed' });
  expect(await relation('billing.notes')).toBe('billing.notes');
  expect(await site.rollBack()).toMatchObject({ current: name });
});

test('a migration without a down part is not taken back', async () => {
  const name = await site.add('create_notes', 'CREATE TABLE billing.notes (id int);');
  await site.apply();
  expect(await site.rollBack()).toMatchObject({ down: null });
  await expect(site.rollBack({ dryRun: false, name })).rejects.toMatchObject({ code: 'migration_irreversible' });
  expect(await relation('billing.notes')).toBe('billing.notes');
});

describe('a migration without a transaction', () => {
  const UP = `-- No transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS customers_seen ON billing.customers (first_seen_at);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS customers_once ON billing.customers (created_at);`;
  const DOWN = `-- No transaction
DROP INDEX CONCURRENTLY IF EXISTS billing.customers_once;
DROP INDEX CONCURRENTLY IF EXISTS billing.customers_seen;`;
  const isValid = async (index: string) =>
    (
      await site.client.query<{ valid: boolean }>(
        'SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)',
        [index],
      )
    ).rows[0]?.valid;

  test('continues where it failed, builds what was cut off anew, and is taken back', async () => {
    const name = await site.add('index_customers', UP, DOWN);
    await site.client.query(
      `INSERT INTO billing.customers (id, first_seen_at, created_at) SELECT 'cus_' || n, now(), '2026-01-01' FROM generate_series(1, 2) n`,
    );

    const failure = site.apply();
    await expect(failure).rejects.toMatchObject({ code: 'migration_failed' });
    await expect(failure).rejects.toThrow(
      /at statement 2 of 2, "CREATE UNIQUE INDEX .*continues there: could not create/,
    );
    expect(await isValid('billing.customers_seen')).toBe(true);
    expect(await isValid('billing.customers_once')).toBe(false);

    await site.client.query(`DELETE FROM billing.customers WHERE id = 'cus_2'`);
    expect(await site.apply()).toMatchObject({ current: name });
    expect(await isValid('billing.customers_once')).toBe(true);

    expect(await site.rollBack({ dryRun: false, name })).toMatchObject({ pending: [name] });
    expect(await isValid('billing.customers_seen')).toBeUndefined();
  });

  test('two runs at once both end, and build each index once', async () => {
    const name = await site.add('index_customers', UP, DOWN);
    const reports = await Promise.all([site.apply(), site.apply()]);
    expect(reports).toMatchObject([{ current: name }, { current: name }]);
  });
});

describe('what was done by hand', () => {
  const resolve = (name: string, as: 'applied' | 'rolled-back', dryRun = false) =>
    site.ask({ action: 'resolve', database: 'billing', name, as, dryRun });

  test('is recorded as applied only once the schema is the one that the migration makes', async () => {
    const name = await site.add('create_notes', 'CREATE TABLE billing.notes (id int PRIMARY KEY);', 'SELECT 1;');
    await site.client.query('CREATE TABLE billing.notes (id int)');
    await expect(resolve(name, 'applied')).rejects.toThrow(
      /is not applied in full: The column id of billing.notes is integer; migrations make it integer NOT NULL \(and 2 more\)/,
    );

    await site.client.query('ALTER TABLE billing.notes ADD PRIMARY KEY (id)');
    expect(await resolve(name, 'applied', true)).toMatchObject({ pending: [name] });
    expect(await resolve(name, 'applied')).toMatchObject({ current: name, pending: [] });
    expect((await site.validate()).problems).toEqual([]);
  });

  test('is recorded as rolled back only once nothing is left of it', async () => {
    const name = await site.add('create_notes', 'CREATE TABLE billing.notes (id int);', 'SELECT 1;');
    await site.apply();
    const refusal = resolve(name, 'rolled-back');
    await expect(refusal).rejects.toMatchObject({ code: 'migration_not_resolved' });
    await expect(refusal).rejects.toThrow('column id of billing.notes is still there');

    await site.client.query('DROP TABLE billing.notes');
    expect(await resolve(name, 'rolled-back')).toMatchObject({ pending: [name] });
  });

  test('is refused for another migration than the next or the last', async () => {
    await expect(resolve('0002_create_customers', 'rolled-back')).rejects.toMatchObject({ code: 'migration_not_last' });
    await expect(resolve('0002_create_customers', 'applied')).rejects.toMatchObject({ code: 'migration_not_last' });
  });
});
