import { Client } from 'pg';
import { oneAtATime } from '../../../core/database/one-at-a-time';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('billing');
});
afterAll(() => database.drop());

test('queries that share a connection run one after the other, and each gets its own answer or error', async () => {
  const client = await database.client();
  let running = 0;
  let most = 0;
  const send = client.query.bind(client) as (text: string) => Promise<unknown>;
  const counted = async (text: string): Promise<unknown> => {
    most = Math.max(most, (running += 1));
    return send(text).finally(() => (running -= 1));
  };
  const shared = oneAtATime(Object.assign(client, { query: counted as Client['query'] }));
  const answers = await Promise.allSettled(
    ['SELECT 1 AS n', 'SELECT nothing', 'SELECT 3 AS n', 'SELECT 4 AS n'].map((text) => shared.query(text)),
  );
  expect(answers).toMatchObject([
    { value: { rows: [{ n: 1 }] } },
    { reason: { code: '42703' } },
    { value: { rows: [{ n: 3 }] } },
    { value: { rows: [{ n: 4 }] } },
  ]);
  expect(most).toBe(1);
});
