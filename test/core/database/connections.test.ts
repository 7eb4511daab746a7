import type { Client } from 'pg';
import { withConnections } from '../../../core/database/connections';
import { targetAt, withConnection } from '../../../core/database/connector';
import { refuseWrites } from '../../../lambdas/move/barrier';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase('empty');
});
afterAll(() => database.drop());

async function pidOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

async function isEnded(client: Client): Promise<boolean> {
  return client.query('SELECT').then(
    () => false,
    () => true,
  );
}

test('withConnections opens distinct connections, prepares each, and ends them afterwards', async () => {
  const prepared: Client[] = [];
  const prepare = async (client: Client) => prepared.push(client);
  const pids = await withConnections(database.connector, { count: 3, prepare }, async (clients) => {
    expect(clients).toEqual(prepared);
    return Promise.all(clients.map(pidOf));
  });
  expect(new Set(pids).size).toBe(3);
  expect(await Promise.all(prepared.map(isEnded))).toEqual([true, true, true]);
});

test('withConnections ends the opened connections when preparing one of them fails', async () => {
  const opened: Client[] = [];
  const prepare = async (client: Client) => {
    opened.push(client);
    if (opened.length === 2) throw new Error('cannot be prepared');
  };
  const work = jest.fn();
  await expect(withConnections(database.connector, { count: 3, prepare }, work)).rejects.toThrow('cannot be prepared');
  expect(work).not.toHaveBeenCalled();
  expect(await Promise.all(opened.map(isEnded))).toEqual([true, true]);
});

const terminate = (pid: number) =>
  asAdministrator((admin) => admin.query('SELECT pg_terminate_backend($1, 5000)', [pid]));
const unavailable = { code: 'database_unavailable', retryable: true };

test.each([
  ['between two statements', (client: Client) => client.query('SELECT 1')],
  ['during a statement', (client: Client) => client.query('SELECT pg_sleep(20)')],
])('a connection that the server ends %s makes the work retryable', async (moment, next) => {
  const work = async (client: Client) => {
    const ended = terminate(await pidOf(client));
    if (moment.startsWith('between')) await ended;
    await next(client);
  };
  await expect(withConnection(database.connector, work)).rejects.toMatchObject(unavailable);
  const prepare = async () => undefined;
  const several = withConnections(database.connector, { count: 2, prepare }, async ([first]) => first && work(first));
  await expect(several).rejects.toMatchObject(unavailable);
});

test('a lock that another session keeps makes the work retryable, and that session is named', async () => {
  const holder = await database.client();
  await holder.query('CREATE TABLE held ()');
  await holder.query(`SET application_name = 'slow report'; BEGIN; LOCK TABLE held`);
  const work = async (client: Client) => {
    await client.query('BEGIN; SET LOCAL lock_timeout = 1');
    await client.query('SELECT FROM held');
  };
  const message = expect.stringMatching(
    /^Another session kept a lock for too long \(canceling statement due to lock timeout\); open transactions: slow report \(process \d+\) since \d+ s\. /,
  ) as string;
  const busy = { code: 'database_busy', retryable: true };
  await expect(withConnection(database.connector, work)).rejects.toMatchObject({ ...busy, message });
  const several = withConnections(database.connector, { count: 1, prepare: work }, async () => undefined);
  await expect(several).rejects.toMatchObject(busy);
  await holder.query('ROLLBACK');
});

test('a write that is refused because the database moves to another server makes the work retryable', async () => {
  const other = await createTestDatabase('empty');
  try {
    const client = await other.client();
    await client.query('CREATE SCHEMA operations; CREATE TABLE notes (note text)');
    const write = withConnection(other.connector, async (writer) => {
      // A session from before, which the move has not ended yet.
      await refuseWrites({ client, connector: other.connector, name: 'old' }, 'moved to new.example.com:5432/billing');
      return writer.query('INSERT INTO notes DEFAULT VALUES');
    });
    await expect(write).rejects.toMatchObject({
      ...unavailable,
      message: `A write was refused: ${other.name} moved to new.example.com:5432/billing: this server takes no writes. The database is being moved, or has moved, to another server: repeat the request, and check the address if it is refused again`,
    });
  } finally {
    await other.drop();
  }
});

test('a target at another server keeps its database and its credentials', () => {
  const { target } = database.connector;
  expect(targetAt(target, { host: 'recovered.example.com' })).toEqual({ ...target, host: 'recovered.example.com' });
  expect(targetAt(target, { port: 6543 })).toEqual({ ...target, port: 6543 });
});
