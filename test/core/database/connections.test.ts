import type { Client } from 'pg';
import { withConnections } from '../../../core/database/connections';
import { targetAt } from '../../../core/database/connector';
import { createTestDatabase, type TestDatabase } from '../../support/database';

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

test('a target at another server keeps its database and its credentials', () => {
  const { target } = database.connector;
  expect(targetAt(target, { host: 'recovered.example.com' })).toEqual({ ...target, host: 'recovered.example.com' });
  expect(targetAt(target, { port: 6543 })).toEqual({ ...target, port: 6543 });
});
