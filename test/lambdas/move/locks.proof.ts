import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { waitUntil } from '../../../local/pass/check';
import { holdTables, lockBriefly } from '../../../lambdas/move/locks';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let step: Client;

beforeAll(async () => {
  database = await createTestDatabase('empty');
  step = await database.client();
  await step.query('CREATE TABLE one (note text); CREATE TABLE other (note text)');
});
afterAll(() => database?.drop());

const TABLES = { tables: ['one', 'other'], mode: 'ACCESS EXCLUSIVE', unchanged: 'Nothing was changed' } as const;
const identities = () =>
  step
    .query<{ identity: string }>(
      `SELECT relreplident AS identity FROM pg_class WHERE relname IN ('one', 'other') ORDER BY relname`,
    )
    .then(({ rows }) => rows.map(({ identity }) => identity));

/** A session with a transaction that reads a table. */
async function reader(table: string): Promise<Client> {
  const client = await database.client();
  await client.query(`BEGIN; SELECT FROM ${table}`);
  return client;
}

/** Waits until the step waits for a table. */
async function untilWaiting(client: Client): Promise<void> {
  await waitUntil(async () => {
    const { rows } = await client.query(
      'SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())',
    );
    return rows.length > 0 ? undefined : 'the step does not wait';
  }, 20_000);
}

test('replica identities are set at a later attempt, and writes pass between two', async () => {
  const holder = await reader('other');
  const writer = await database.client();
  let attempts = 0;
  const use = async () => {
    // It has the first table then.
    await untilWaiting(holder);
    // Without a limit, the write would wait until the reader ends, which waits for the write here.
    await writer.query(`INSERT INTO one VALUES ('while the reader goes on')`);
    expect(attempts).toBe(1);
    await holder.query('COMMIT');
  };
  await Promise.all([
    use(),
    holdTables(step, { ...TABLES, onAttempt: async () => void (attempts += 1) }, () =>
      step.query('ALTER TABLE one REPLICA IDENTITY FULL; ALTER TABLE other REPLICA IDENTITY FULL'),
    ),
  ]);
  expect(attempts).toBe(2);
  expect(await identities()).toEqual(['f', 'f']);
});

test('one attempt waits for all of its tables as long as for one, and names what holds them', async () => {
  const [first, second] = [await reader('one'), await reader('other')];
  const [, , error] = await Promise.all([
    sleep(1_200).then(() => first.query('COMMIT')),
    // With a limit for each table, the second would be waited for until 2.7 s, and be had.
    sleep(2_400).then(() => second.query('COMMIT')),
    holdTables(step, { ...TABLES, attempts: 1 }, async () => undefined).catch((thrown: unknown) => thrown),
  ]);
  expect(error).toMatchObject({
    code: 'database_busy',
    message: expect.stringMatching(
      /^Transactions did not end: open transactions: .*process \d+.*Nothing was changed; repeat the step$/,
    ),
  });
});

test('replica identities are given back one after the other; those before a busy table stay as they are', async () => {
  const holder = await reader('other');
  const statements = ['one', 'other'].map((table) => `ALTER TABLE ${table} REPLICA IDENTITY DEFAULT`);
  await expect(lockBriefly(step, statements, 1)).rejects.toMatchObject({
    code: 'database_busy',
    message: expect.stringMatching(/^"ALTER TABLE other REPLICA IDENTITY DEFAULT" waits for .*process \d+/),
  });
  expect(await identities()).toEqual(['d', 'f']);
  await Promise.all([untilWaiting(holder).then(() => holder.query('COMMIT')), lockBriefly(step, statements)]);
  expect(await identities()).toEqual(['d', 'd']);
  expect((await step.query('SHOW lock_timeout')).rows).toEqual([{ lock_timeout: '0' }]);
});
