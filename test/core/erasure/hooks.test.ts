import type { Client } from 'pg';
import type { ErasureHook, HookTreatment } from '../../../core/erasure/contract';
import type { Erasures } from '../../../core/erasure/ledger';
import { sweepMain, tryHooks } from '../../../core/erasure/main';
import { pseudonymOf } from '../../../core/erasure/treatment';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { ERASURE_KEY } from '../../support/erasures';

const TABLES = `
  CREATE SCHEMA people;
  CREATE TABLE people.users (id text PRIMARY KEY, email varchar(20) NOT NULL, name text, phone text CHECK (phone LIKE '+%'),
    badge char(8) UNIQUE, code varchar(9), age int, shout text GENERATED ALWAYS AS (upper(name)) STORED,
    CONSTRAINT named CHECK (name IS NOT NULL OR age IS NULL));
  CREATE UNIQUE INDEX users_by_email ON people.users (lower(email));
  CREATE TABLE people.orders (id int PRIMARY KEY, user_id text NOT NULL REFERENCES people.users, note text);
  CREATE TABLE people.sessions (id int PRIMARY KEY, user_id text NOT NULL REFERENCES people.users);
  CREATE TABLE people.visits (id int PRIMARY KEY, visitor text, agent text);
  INSERT INTO people.users (id, email, name, phone, age) VALUES
    ('ann', 'ann@example.com', 'Ann', '+1', 40), ('bob', 'bob@example.com', 'Bob', '+2', NULL), ('cid', 'cid@example.com', 'Cid', '+3', NULL);
  INSERT INTO people.orders VALUES (1, 'ann', 'ring twice'), (2, 'bob', 'back door'), (3, 'cid', 'as usual');
  INSERT INTO people.sessions VALUES (1, 'ann'), (2, 'bob');
  INSERT INTO people.visits VALUES (1, 'ann', 'browser of ann'), (2, 'cid', 'browser of cid');`;

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('main');
  client = await database.client();
  await client.query(TABLES);
});
afterEach(() => database.drop());

const on = (table: string, column: string, treatment: HookTreatment, userColumn = 'user_id'): ErasureHook => ({
  schema: 'people',
  table,
  column,
  treatment,
  userColumn,
});
const ofUser = (column: string, treatment: HookTreatment) => on('users', column, treatment, 'id');

function erasuresOf(...users: readonly string[]): Erasures {
  const entries = users.map((user, index) => ({
    format: 'billing-operations-erasure' as const,
    version: 1 as const,
    id: `2026112${index}T120000000Z-00000001`,
    erasedAt: `2026-11-2${index}T12:00:00.000Z`,
    subjects: [ERASURE_KEY.subject('user', user)],
  }));
  return { key: ERASURE_KEY, entries };
}

const rowsOf = async (sql: string) => (await client.query<Record<string, unknown>>(sql)).rows;
const attempt = (...hooks: readonly ErasureHook[]) => tryHooks(client, ERASURE_KEY, hooks, ['ann']);

test('a blanked UNIQUE column takes the second person as well, and is left as it is afterwards', async () => {
  const hooks = [ofUser('email', 'blank'), ofUser('badge', 'drop'), on('sessions', 'id', 'delete-row')];
  expect(await attempt(...hooks)).toEqual([]);
  expect(await sweepMain(client, erasuresOf('ann', 'bob'), hooks)).toEqual({ 'people.users': 2, 'people.sessions': 2 });
  const emails = () => rowsOf('SELECT email FROM people.users ORDER BY id');
  const after = await emails();
  const blank = { email: expect.stringMatching(/^erased-[0-9a-f]{13}$/) as string };
  expect(after).toEqual([blank, blank, { email: 'cid@example.com' }]);
  expect(await sweepMain(client, erasuresOf('ann', 'bob'), hooks)).toEqual({});
  expect(await emails()).toEqual(after);
});

test('an attempt that meets a lock gives up, names the transaction, and keeps no lock of its own', async () => {
  const other = await database.client();
  await other.query(`SET application_name = 'slow report'; BEGIN; SELECT FROM people.visits WHERE id = 1 FOR UPDATE`);
  const hooks = [ofUser('name', 'blank'), on('visits', 'agent', 'blank', 'visitor')];
  await expect(tryHooks(client, ERASURE_KEY, hooks, ['ann'], 50)).rejects.toMatchObject({
    code: 'database_busy',
    message: expect.stringMatching(
      /people\.visits, or rows .+; open transactions: slow report \(process \d+\) since \d+ s\. End it, .+Nothing was changed$/,
    ) as string,
  });
  await other.query(`SELECT FROM people.users WHERE id = 'ann' FOR UPDATE NOWAIT`);
  await other.query('ROLLBACK');
  expect(await tryHooks(client, ERASURE_KEY, hooks, ['ann'], 50)).toEqual([]);
  expect(await rowsOf('SHOW lock_timeout')).toEqual([{ lock_timeout: '0' }]);
});

test('rows that a foreign key refers to are deleted after those that refer to them, in whatever order the configuration names them', async () => {
  const hooks = [ofUser('id', 'delete-row'), on('orders', 'id', 'delete-row'), on('sessions', 'id', 'delete-row')];
  expect(await attempt(...hooks)).toEqual([]);
  await sweepMain(client, erasuresOf('ann'), hooks);
  expect(await rowsOf('SELECT id FROM people.users UNION SELECT user_id FROM people.orders ORDER BY id')).toEqual([
    { id: 'bob' },
    { id: 'cid' },
  ]);
});

test('a hook that was added later reaches people whose id is a pseudonym by now', async () => {
  const first = [on('visits', 'visitor', 'pseudonymise', 'visitor')];
  await sweepMain(client, erasuresOf('ann'), first);
  const hooks = [...first, on('visits', 'agent', 'drop', 'visitor')];
  expect(await sweepMain(client, erasuresOf('ann'), hooks)).toEqual({ 'people.visits': 1 });
  expect(await rowsOf('SELECT visitor, agent FROM people.visits ORDER BY id')).toEqual([
    { visitor: pseudonymOf(ERASURE_KEY.subject('user', 'ann').digest), agent: null },
    { visitor: 'cid', agent: 'browser of cid' },
  ]);
  expect(await sweepMain(client, erasuresOf('ann'), hooks)).toEqual({});
});

test('a treatment that PostgreSQL would refuse is named with its fix, and nothing changes', async () => {
  const refused: readonly [ErasureHook, string][] = [
    [on('orders', 'user_id', 'pseudonymise'), 'orders_user_id_fkey asks for a row of people.users: leave it out'],
    [
      ofUser('id', 'delete-row'),
      'orders_user_id_fkey of people.orders refers to the row: add delete-row for people.orders',
    ],
    [ofUser('id', 'pseudonymise'), 'orders_user_id_fkey of people.orders refers to it: leave it out'],
    [ofUser('code', 'pseudonymise'), 'holds 9 characters at most, and pseudonymise needs 27: make it longer'],
    [ofUser('badge', 'blank'), 'is UNIQUE (users_badge_key) and holds 8 characters at most, and blank needs 19'],
    [ofUser('phone', 'blank'), 'its CHECK users_phone_check refuses erased: choose another treatment'],
    [ofUser('age', 'blank'), 'is integer, and only text can be made blank: drop it'],
    [ofUser('shout', 'blank'), 'is generated'],
    // Of more columns than one: found by the attempt on the person's own row.
    [ofUser('name', 'drop'), 'is refused by named (23514): choose another treatment'],
  ];
  const content = () => rowsOf('SELECT * FROM people.users ORDER BY id');
  const before = await content();
  for (const [hook, problem] of refused) {
    const [found = ''] = await attempt(hook);
    expect(found).toContain(problem);
    expect(found).toMatch(new RegExp(`^people[.]${hook.table}[^ ]* ${hook.column === 'name' ? 'name' : ''}`));
    await expect(sweepMain(client, erasuresOf('ann'), [hook])).rejects.toMatchObject({ code: 'hooks_invalid' });
  }
  expect(await content()).toEqual(before);
});
