import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Connection } from 'pg';
import { createConnector, type DatabaseConnector } from '../../../core/database/connector';
import { dumpSchema, prepareDumpSession } from '../../../core/schema/dump/pg-dump';
import {
  asAdministrator,
  clusterSecrets,
  clusterTarget,
  createTestDatabase,
  type TestDatabase,
} from '../../support/database';
import { dumpOf, PG_DUMP_WORKER, withSnapshot } from '../../support/schema';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase('empty');
  await run('CREATE SCHEMA app; CREATE TABLE app.orders (id int PRIMARY KEY); CREATE VIEW app.few AS SELECT 1 AS one');
});

afterEach(() => database.drop());

function run(sql: string): Promise<unknown> {
  return asAdministrator((client) => client.query(sql), database.name);
}

/** Connections of the backup that the server still has. */
async function openConnections(): Promise<number> {
  const { rows } = await asAdministrator((client) =>
    client.query<{ count: number }>('SELECT count(*)::int FROM pg_stat_activity WHERE datname = $1', [database.name]),
  );
  return rows[0]?.count ?? 0;
}

test('the dump holds what was committed before the snapshot, and nothing that came later', async () => {
  const text = await withSnapshot(database, async (snapshot) => {
    await run('CREATE TABLE app.later (id int)');
    return dumpOf(database, { snapshot });
  });
  expect(text).toContain('CREATE TABLE app.orders (\n    id integer NOT NULL\n);');
  expect(text).not.toContain('later');
  expect(text).toContain('\\restrict key\n');
  expect(await openConnections()).toBe(0);
});

test('lines that begin with \\restrict inside a function body survive, in any case', async () => {
  const body = ['BEGIN', '\\restrict one', '\\UNRESTRICT two', '\\\\restrict three', 'END'].join('\n');
  await run(`SET check_function_bodies = off; CREATE FUNCTION app.odd() RETURNS void LANGUAGE plpgsql AS $$${body}$$`);
  expect(await dumpOf(database)).toContain(`AS $$${body}$$;`);
});

test('a notification that comes late, for an answer that was seen already, is not taken for the next answer', async () => {
  const notify = Atomics.notify.bind(Atomics);
  // As if the main thread paused between an answer and its notification; each arrives while the next answer is awaited.
  const delayed = jest.spyOn(Atomics, 'notify').mockImplementation((array, index) => {
    for (const delayMs of [0, 1, 2, 5]) setTimeout(() => notify(array, index), delayMs);
    return notify(array, index);
  });
  try {
    expect(await dumpOf(database)).toContain('CREATE TABLE app.orders');
    expect(delayed.mock.calls.length).toBeGreaterThan(20);
  } finally {
    delayed.mockRestore();
  }
});

test('timeouts that the database sets for everybody do not end the dump', async () => {
  await run(`ALTER DATABASE ${database.name} SET transaction_timeout = '200ms';
    ALTER DATABASE ${database.name} SET statement_timeout = '200ms';
    ALTER DATABASE ${database.name} SET idle_session_timeout = '200ms';
    ALTER DATABASE ${database.name} SET idle_in_transaction_session_timeout = '200ms'`);
  // The leader is no part of the dump, and lifts its own.
  const connector: DatabaseConnector = createConnector(clusterTarget('postgres'), clusterSecrets(), 'test');
  const leader = await connector.connect(database.name);
  await leader.query(
    `SET transaction_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0`,
  );
  await leader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows } = await leader.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  const snapshot = rows[0]?.id ?? '';
  const text = await dumpOf(database, { snapshot });
  await leader.end();
  expect(text).toContain('CREATE TABLE app.orders');
});

describe('when another session changes the schema, the dump', () => {
  // The other session never ends its transaction, so that a dump which waited for it would not end at all.
  const SECONDS_MS = 10_000;

  test.each([
    ['a table that is being altered', 'ALTER TABLE app.orders ADD COLUMN x int'],
    ['a view that is being replaced', 'CREATE OR REPLACE VIEW app.few AS SELECT 2 AS one'],
  ])('gives up on %s within seconds', async (_, change) => {
    const other = await database.client();
    await other.query(`BEGIN; ${change}`);
    const startedAt = Date.now();
    await expect(dumpOf(database)).rejects.toMatchObject({ code: 'schema_changing', retryable: true });
    expect(Date.now() - startedAt).toBeLessThan(SECONDS_MS);
    await other.query('ROLLBACK');
    expect(await openConnections()).toBe(1);
  });

  test('does not queue behind a migration that waits for the rest of the backup', async () => {
    const migration = await database.client();
    await withSnapshot(database, async (snapshot, leader) => {
      await leader.query('LOCK TABLE app.orders IN ACCESS SHARE MODE');
      const altered = migration.query('ALTER TABLE app.orders ADD COLUMN x int');
      const startedAt = Date.now();
      await expect(dumpOf(database, { snapshot })).rejects.toMatchObject({ code: 'schema_changing' });
      expect(Date.now() - startedAt).toBeLessThan(SECONDS_MS);
      await leader.query('ROLLBACK');
      await altered;
    });
  });
});

describe('the dump is refused', () => {
  test('when the role may not read a table, naming the table, and is not retried', async () => {
    const role = `reader_${randomBytes(4).toString('hex')}`;
    await run(`CREATE ROLE ${role} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA app TO ${role}`);
    const secrets = {
      read: async (_: string, schema: { parse(value: unknown): never }) =>
        schema.parse({ username: role, password: 'p' }),
    };
    const connector = createConnector(clusterTarget(database.name), secrets as never, 'test');
    await expect(dumpOf(database, { connector })).rejects.toMatchObject({
      code: 'privilege_missing',
      retryable: false,
      message: expect.stringContaining('permission denied for table orders'),
    });
    await run(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  test('when the transaction that exported the snapshot has ended', async () => {
    const gone = await withSnapshot(database, async (snapshot) => snapshot);
    await expect(dumpOf(database, { snapshot: gone })).rejects.toMatchObject({
      code: 'snapshot_lost',
      retryable: true,
    });
  });

  test.each([
    ['cut off', `dump: Buffer.from('SET x;\\n')`, 'schema_dump_failed', 'is cut off'],
    ['not there', `failure: 'pg_dump failed with exit code 1'`, 'schema_dump_failed', 'exit code 1'],
  ])('when the text is %s', async (_, message, code, reason) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'worker-'));
    const workerFile = path.join(folder, 'worker.cjs');
    writeFileSync(workerFile, `require('node:worker_threads').parentPort.postMessage({ ${message} })`);
    await expect(dumpOf(database, { workerFile })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(reason),
    });
    rmSync(folder, { recursive: true });
  });
});

/** Interrupts a dump that waits for a lock on a view, in the middle of its work. */
async function whileDumping(
  interrupt: () => Promise<unknown>,
  dump: () => Promise<unknown> = () => dumpOf(database),
): Promise<unknown> {
  const blocker = await database.client();
  await blocker.query('BEGIN; LOCK TABLE app.few IN ACCESS EXCLUSIVE MODE');
  const dumping = dump().catch((error: unknown) => error);
  const waits = `SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`;
  await asAdministrator(async (client) => {
    while ((await client.query(waits, [database.name])).rowCount === 0);
  });
  await interrupt();
  const outcome = await dumping;
  await blocker.query('ROLLBACK');
  return outcome;
}

test('no operator of the database runs where its path has another schema before pg_catalog', async () => {
  const client = await database.client();
  await client.query(`CREATE SCHEMA other; SET search_path = other, pg_catalog;
    CREATE FUNCTION other.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'run as %', current_user; END $$;
    CREATE OPERATOR other.= (LEFTARG = text, RIGHTARG = text, FUNCTION = other.same)`);
  await prepareDumpSession(client);
  expect((await client.query('SHOW search_path')).rows).toEqual([{ search_path: '"$user", public' }]);
  await client.query('DROP SCHEMA other CASCADE');
});

test('a dump whose connection is lost ends, and may be tried again', async () => {
  const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`;
  const outcome = await whileDumping(() => asAdministrator((client) => client.query(kill, [database.name])));
  expect(outcome).toMatchObject({ code: 'database_unavailable', retryable: true });
});

test('a dump whose network fails ends, and may be tried again', async () => {
  const client = await database.connector.connect();
  const dump = async (snapshot: string): Promise<unknown> => {
    await prepareDumpSession(client);
    return dumpSchema(client, { snapshot, restrictKey: 'key', workerFile: PG_DUMP_WORKER });
  };
  const { stream } = (client as unknown as { connection: Connection }).connection;
  const outcome = await whileDumping(
    async () => stream.destroy(),
    () => withSnapshot(database, dump),
  );
  await client.end();
  expect(outcome).toMatchObject({ code: 'database_unavailable', retryable: true });
});

test('a dump that is aborted ends at once, with the reason of the abort', async () => {
  const abort = new AbortController();
  const reason = new Error('no time left');
  const outcome = await whileDumping(
    async () => abort.abort(reason),
    () => dumpOf(database, { signal: abort.signal }),
  );
  expect(outcome).toBe(reason);
});
