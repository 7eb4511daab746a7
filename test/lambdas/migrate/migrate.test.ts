import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from 'pg';
import { migrateReport } from '../../../lambdas/migrate/contract';
import { migrate } from '../../../lambdas/migrate/core';
import { createConnector } from '../../../core/database/connector';
import { applyMigrations, migrationStatus } from '../../../core/migrations/runner';
import { waitUntil } from '../../../local/pass/check';
import { copyMigrations, type MigrationsCopy, migrationsOf } from '../../factories/archive';
import { clusterSecrets, clusterTarget, createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let client: Client;
let migrations: MigrationsCopy;

beforeEach(async () => {
  database = await createTestDatabase('empty');
  client = await database.client();
  migrations = await copyMigrations('billing');
});

afterEach(async () => {
  await database.drop();
  await migrations.remove();
});

/** Every relation of the database with its columns, to prove that nothing was changed. */
async function schemaOf(connection: Client): Promise<unknown[]> {
  const columns = await connection.query(
    `SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
     WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, ordinal_position`,
  );
  return columns.rows as unknown[];
}

test('an empty database gets every migration, in order, and its identity', async () => {
  const pendingBefore = await migrationStatus(client, 'billing', migrations.directory);
  expect(pendingBefore).toMatchObject({ applied: [], current: null });
  expect(await schemaOf(client)).toEqual([]);

  const status = await applyMigrations(client, 'billing', migrations.directory);

  expect(status.applied).toEqual(pendingBefore.pending);
  expect(status.pending).toEqual([]);
  expect(status.current).toBe(status.applied.at(-1));
  const identity = await client.query('SELECT name FROM operations.database_identity');
  expect(identity.rows).toEqual([{ name: 'billing' }]);
});

test('applying again changes nothing, and two concurrent runs apply each migration once', async () => {
  const other = await database.client();
  const [first, second] = await Promise.all([
    applyMigrations(client, 'billing', migrations.directory),
    applyMigrations(other, 'billing', migrations.directory),
  ]);
  expect(second).toEqual(first);
  expect(await applyMigrations(client, 'billing', migrations.directory)).toEqual(first);
});

test('migrations stop after the one named in upTo', async () => {
  const status = await applyMigrations(client, 'billing', migrations.directory, { upTo: '0002_create_billing' });
  expect(status.current).toBe('0002_create_billing');
  expect(status.pending[0]).toBe('0003_create_reconciliation');
});

test('main migrations are refused in the billing database, which stays unchanged', async () => {
  await applyMigrations(client, 'billing', migrations.directory);
  const before = await schemaOf(client);
  await expect(applyMigrations(client, 'main', migrationsOf('main'))).rejects.toMatchObject({ code: 'wrong_database' });
  await expect(migrationStatus(client, 'main', migrationsOf('main'))).rejects.toMatchObject({ code: 'wrong_database' });
  expect(await schemaOf(client)).toEqual(before);
});

test('a database with tables but no identity is refused, and stays unchanged', async () => {
  await client.query(`CREATE TABLE "somebody else's" (id int)`);
  const before = await schemaOf(client);
  const refusal = applyMigrations(client, 'billing', migrations.directory);
  await expect(refusal).rejects.toMatchObject({ code: 'foreign_database' });
  await expect(refusal).rejects.toThrow(`public."somebody else's"`);
  expect(await schemaOf(client)).toEqual(before);
});

test('an applied file that was edited is refused by name', async () => {
  await applyMigrations(client, 'billing', migrations.directory);
  const file = path.join(migrations.directory, '0002_create_billing.sql');
  await writeFile(file, `${await readFile(file, 'utf8')}-- edited\n`);
  const refusal = applyMigrations(client, 'billing', migrations.directory);
  await expect(refusal).rejects.toMatchObject({ code: 'migration_edited' });
  await expect(refusal).rejects.toThrow('0002_create_billing');
});

test('a schema newer than the code is refused, naming the unknown migration', async () => {
  const next = await migrations.add('create_future', 'CREATE TABLE future (id int);');
  await applyMigrations(client, 'billing', migrations.directory);
  const refusal = applyMigrations(client, 'billing', migrationsOf('billing'));
  await expect(refusal).rejects.toMatchObject({ code: 'schema_newer_than_code' });
  await expect(refusal).rejects.toThrow(next);
});

test.each([
  [
    'a missing number',
    'migration_gap',
    async (directory: string) => rm(path.join(directory, '0002_create_billing.sql')),
  ],
  [
    'a number used twice',
    'migration_duplicate',
    async (directory: string) => writeFile(path.join(directory, '0002_other_thing.sql'), 'SELECT 1;'),
  ],
  [
    'a file that is not a migration',
    'migration_name_malformed',
    async (directory: string) => writeFile(path.join(directory, 'notes.txt'), ''),
  ],
])('%s is refused before anything is applied', async (_what, code, damage) => {
  await damage(migrations.directory);
  await expect(applyMigrations(client, 'billing', migrations.directory)).rejects.toMatchObject({ code });
  expect(await schemaOf(client)).toEqual([]);
});

test('a failing migration is rolled back as a whole, and applying again after its correction succeeds', async () => {
  const file = path.join(migrations.directory, '0003_create_reconciliation.sql');
  const correct = await readFile(file, 'utf8');
  await writeFile(file, '-- Up Migration\nCREATE TABLE billing.half (id int);\nSELECT 1 / 0;\n');
  const failure = applyMigrations(client, 'billing', migrations.directory);
  await expect(failure).rejects.toMatchObject({ code: 'migration_failed' });
  await expect(failure).rejects.toThrow(/0003_create_reconciliation.*division by zero/);
  const half = await client.query(`SELECT to_regclass('billing.half') AS relation`);
  expect(half.rows).toEqual([{ relation: null }]);
  expect((await migrationStatus(client, 'billing', migrations.directory)).current).toBe('0002_create_billing');

  await writeFile(file, correct);
  expect((await applyMigrations(client, 'billing', migrations.directory)).pending).toEqual([]);
});

describe('beside a transaction that reads a table', () => {
  const locks = { timeoutMs: 100, attempts: 4, pauseMs: 200 };
  let reader: Client;

  beforeEach(async () => {
    const { applied } = await applyMigrations(client, 'billing', migrations.directory);
    const name = `${String(applied.length + 1).padStart(4, '0')}_add_note`;
    const statement = 'ALTER TABLE billing.customers ADD COLUMN note text;';
    await writeFile(path.join(migrations.directory, `${name}.sql`), `-- Up Migration\n${statement}\n`);
    reader = await database.client();
    await reader.query('BEGIN; SELECT count(*) FROM billing.customers');
  });

  test('a migration lets other queries through between its attempts, and is applied when the lock is free', async () => {
    const application = await database.client();
    // It gives up long after the migration has to: the reader ends only when it was answered.
    await application.query('SET lock_timeout = 4000');
    const observer = await database.client();
    const waiting = async () =>
      (await observer.query(`SELECT FROM pg_locks WHERE relation = 'billing.customers'::regclass AND NOT granted`))
        .rowCount ?? 0;
    const run = applyMigrations(client, 'billing', migrations.directory, { locks: { ...locks, attempts: 1000 } });
    // An attempt may end just before the query: then the next one.
    for (let hasQueued = false; !hasQueued;) {
      await waitUntil(async () => ((await waiting()) === 1 ? undefined : 'the migration does not wait'), 5_000);
      let isOver = false;
      const answer = application
        .query('SELECT FROM billing.customers')
        .then(
          () => 'answered',
          (error: unknown) => error,
        )
        .finally(() => (isOver = true));
      while (!isOver) hasQueued = (await waiting()) === 2 || hasQueued;
      expect(await answer).toBe('answered');
    }
    await reader.query('COMMIT');

    expect((await run).pending).toEqual([]);
  });

  test('a migration that never gets its lock is rolled back, and the error names the transaction', async () => {
    await reader.query(`SET application_name = 'slow report'`);
    const failure = applyMigrations(client, 'billing', migrations.directory, { locks });

    await expect(failure).rejects.toMatchObject({ code: 'database_busy' });
    await expect(failure).rejects.toThrow(
      /_add_note .*4 attempts of 100 ms.*slow report \(process \d+\) since \d+ s\)\. End the transaction/,
    );
    const { pending } = await migrationStatus(client, 'billing', migrations.directory);
    expect(pending).toEqual([expect.stringMatching(/_add_note$/)]);
    await reader.query('COMMIT');
    expect((await applyMigrations(client, 'billing', migrations.directory)).pending).toEqual([]);
  });
});

test('the migrate function lists pending migrations, even in a dry run, and then applies them', async () => {
  const connector = createConnector(clusterTarget(database.name, 'main'), clusterSecrets(), 'test');
  const dependencies = { connector, migrationsDirectory: migrationsOf('main'), clock: () => new Date() };
  const before = migrateReport.parse(await migrate(dependencies, { action: 'status', database: 'main' }));
  expect(before).toMatchObject({ applied: [], dryRun: true });
  expect(await migrate(dependencies, { action: 'apply', database: 'main', dryRun: true })).toEqual(before);
  const after = await migrate(dependencies, { action: 'apply', database: 'main', dryRun: false });
  expect(after).toMatchObject({ database: 'main', dryRun: false, applied: before.pending, pending: [] });
});

test('another host is refused where the function knows no secrets, and the server in use is not compared instead', async () => {
  const connector = createConnector(clusterTarget(database.name, 'main'), clusterSecrets(), 'test');
  const dependencies = { connector, migrationsDirectory: migrationsOf('main'), clock: () => new Date() };
  const request = { action: 'access', database: 'main', host: 'recovered', keep: [], passwordsOnly: false } as const;
  await expect(migrate(dependencies, { ...request, dryRun: true })).rejects.toThrow(
    'host: needs the secrets of the logins',
  );
});
