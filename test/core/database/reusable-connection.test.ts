import type { Client } from 'pg';
import { createReusableConnection, type ReusableConnection } from '../../../core/database/reusable-connection';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let connection: ReusableConnection;

beforeEach(async () => {
  database = await createTestDatabase('empty');
  connection = createReusableConnection(database.connector);
});
afterEach(async () => {
  await connection.close();
  await database.drop();
});

const numbers = () =>
  connection.use(async (client) => {
    const { rows } = await client.query<{ n: number | string }>({ name: 'numbers', text: 'SELECT n FROM numbers' });
    return rows.map(({ n }) => n);
  });

async function change(sql: string): Promise<void> {
  const client = await database.client();
  await client.query(sql);
}

test('a session that lost its prepared statements, as can happen behind a proxy, is replaced', async () => {
  await change('CREATE TABLE numbers AS SELECT 1 AS n');
  await expect(numbers()).resolves.toEqual([1]);
  await connection.use((client) => client.query('DEALLOCATE ALL'));
  await expect(numbers()).resolves.toEqual([1]);
});

test('a session with a prepared statement whose columns a migration changed is replaced', async () => {
  await change('CREATE TABLE numbers AS SELECT 1 AS n');
  await expect(numbers()).resolves.toEqual([1]);
  await change('ALTER TABLE numbers ALTER COLUMN n TYPE text');
  await expect(numbers()).resolves.toEqual(['1']);
});

/** Work that ends its own session before its statement, in as many attempts. */
function losing(sessions: number) {
  const seen = { attempts: 0 };
  const work = async (client: Client) => {
    seen.attempts += 1;
    if (seen.attempts <= sessions) {
      // Not `once` of node:events: it rejects at the error that comes before the end, perhaps before anything awaits it.
      const ended = new Promise<void>((resolve) => client.once('end', resolve));
      await change(`SELECT pg_terminate_backend(${(client as unknown as { readonly processID: number }).processID})`);
      await ended;
    }
    return (await client.query<{ one: number }>('SELECT 1 AS one')).rows;
  };
  return { seen, work };
}

test('work whose new connections are ended, twice in a row, is done on the third', async () => {
  const { seen, work } = losing(2);
  await expect(connection.use(work)).resolves.toEqual([{ one: 1 }]);
  expect(seen.attempts).toBe(3);
});

test('work that loses every connection fails as one that may be retried, after three attempts', async () => {
  const { seen, work } = losing(Infinity);
  await expect(connection.use(work)).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
  expect(seen.attempts).toBe(3);
});

test('a bug of the work on a new connection is not repeated', async () => {
  let attempts = 0;
  const wrong = connection.use(() => {
    attempts += 1;
    return Promise.reject(new TypeError('not a function'));
  });
  await expect(wrong).rejects.toThrow(TypeError);
  expect(attempts).toBe(1);
});

test('a statement with an error of its own is not repeated', async () => {
  let attempts = 0;
  await connection.use((client) => client.query('SELECT 1'));
  const wrong = connection.use(async (client) => {
    attempts += 1;
    await client.query('SELECT 1 / 0');
  });
  await expect(wrong).rejects.toMatchObject({ code: '22012' });
  expect(attempts).toBe(1);
});

test('a statement that took too long is not run again, and keeps its session', async () => {
  let attempts = 0;
  const session = await connection.use((client) => client.query('SELECT pg_backend_pid() AS pid'));
  const slow = connection.use(async (client) => {
    attempts += 1;
    await client.query("SET statement_timeout = '50ms'; SELECT pg_sleep(1)");
  });
  await expect(slow).rejects.toMatchObject({ code: '57014' });
  expect(attempts).toBe(1);
  expect((await connection.use((client) => client.query('SELECT pg_backend_pid() AS pid'))).rows).toEqual(session.rows);
});

test('a connection that is closed while it is being opened is ended, and so is each one after it', async () => {
  const opened: Record<'end' | 'query', jest.Mock>[] = [];
  const pending: (() => void)[] = [];
  const slow = createReusableConnection({
    target: database.connector.target,
    connect: () =>
      new Promise((resolve) => {
        pending.push(() => {
          const client = { end: jest.fn(() => Promise.resolve()), query: jest.fn(() => Promise.resolve()) };
          opened.push(client);
          resolve(client as never);
        });
      }),
  });
  for (const round of [1, 2]) {
    const abandoned = slow.use((client) => client.query('SELECT 1'));
    const closed = slow.close();
    expect(pending).toHaveLength(round);
    pending.at(-1)?.();
    await Promise.all([abandoned, closed]);
  }
  expect(opened.map(({ end }) => end.mock.calls.length)).toEqual([1, 1]);
});

test('work that is given up by closing its connection is not repeated on a new one', async () => {
  await connection.use((client) => client.query('SELECT 1'));
  let attempts = 0;
  const hanging = connection.use((client) => {
    attempts += 1;
    return client.query('SELECT pg_sleep(60)');
  });
  await new Promise((resolve) => setImmediate(resolve));
  const closed = connection.close();
  await expect(hanging).rejects.toThrow('Connection terminated');
  await closed;
  expect(attempts).toBe(1);
});
