import type { Client } from 'pg';
import type { WarmPosition, WarmReport } from '../../../lambdas/verify/contract';
import { warmDatabase } from '../../../lambdas/verify/warm';
import { contentOf } from '../../factories/archive';
import { copyWithDamagedPage } from '../../factories/damaged-database';
import { createTestDatabase, type TestDatabase } from '../../support/database';

let database: TestDatabase;
let client: Client;

beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
  await client.query(`INSERT INTO billing.customers VALUES ('cus_1', now())`);
});
afterEach(() => database.drop());

interface Call {
  readonly targetDatabase?: string;
  readonly after?: WarmPosition | null;
  readonly remainingMs?: () => number;
}

function warm({ remainingMs = () => 60_000, ...request }: Call = {}): Promise<WarmReport> {
  return warmDatabase({ connector: database.connector, now: () => new Date(), remainingMs }, request);
}

/** Calls until everything is warm, each from where the one before stopped, as the recovery workflow does. */
async function warmInCalls(callOf: () => Call): Promise<WarmReport[]> {
  const calls: WarmReport[] = [];
  for (let report: WarmReport | undefined; !report?.done; calls.push(report)) {
    if (calls.length > 100) throw new Error(`No end in sight: ${JSON.stringify(report)}`);
    report = await warm({ ...callOf(), after: report?.next });
  }
  return calls;
}

/** Bytes of the pages of all tables and indexes of users. */
async function bytesOf(what: 'tables and indexes' | 'tables'): Promise<number> {
  const size = await client.query<{ bytes: number }>(
    `SELECT sum(pg_relation_size(c.oid))::float8 AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = ANY ($1) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
    [what === 'tables' ? ['r'] : ['r', 'i']],
  );
  return size.rows[0]?.bytes ?? 0;
}

test('every table and index is read in one call when time suffices, and nothing is changed', async () => {
  const before = await contentOf(database.name);
  const report = await warm();
  expect(report).toMatchObject({ done: true, next: null, problems: [], skipped: [], indexes: true, bytesLeft: 0 });
  expect(report.bytesRead).toBe(await bytesOf('tables and indexes'));
  expect(await contentOf(database.name)).toEqual(before);
});

test('where the server has no pg_prewarm the tables are read, and the answer says that the indexes are not', async () => {
  await client.query('DROP EXTENSION pg_prewarm');
  const report = await warm();
  expect(report).toMatchObject({ done: true, indexes: false });
  expect(report.bytesRead).toBe(await bytesOf('tables'));
});

test('a call that is out of time says where to go on, and the calls together read everything once', async () => {
  const all = await bytesOf('tables and indexes');
  // Time for one round in each call.
  const calls = await warmInCalls(() => {
    const times = [60_000, 60_000];
    return { remainingMs: () => times.shift() ?? 0 };
  });
  expect(calls.length).toBeGreaterThan(3);
  expect(calls[0]).toMatchObject({ done: false, bytesLeft: all - (calls[0]?.bytesRead ?? 0) });
  expect(calls.reduce((sum, { bytesRead }) => sum + bytesRead, 0)).toBe(all);
});

test('a call without any time reads nothing and goes on from the same place', async () => {
  const after: WarmPosition = { kind: 'index', oid: 1, page: 0, pages: 8192 };
  const report = await warm({ after, remainingMs: () => 0 });
  expect(report).toMatchObject({ done: false, bytesRead: 0, next: { kind: 'index', page: 0 } });
});

test('a page whose values take longer than a whole call is left out and named, and the rest is read', async () => {
  await client.query(`CREATE TABLE billing.slow (value text);
    INSERT INTO billing.slow SELECT repeat(md5(n::text), 100000) FROM generate_series(1, 30) n`);
  const calls = await warmInCalls(() => ({ remainingMs: () => 30 }));
  expect(calls.flatMap(({ skipped }) => skipped)).toContain('billing.slow page 0');
  expect(calls.at(-1)).toMatchObject({ done: true, bytesLeft: 0 });
  // Smaller and smaller chunks were tried before.
  expect(calls.some(({ next }) => next?.pages === 1)).toBe(true);
});

test('a table with a page that cannot be read is named, and the rest is read', async () => {
  const damaged = await copyWithDamagedPage(database, 'billing.customers');
  try {
    const report = await warm({ targetDatabase: damaged.name });
    expect(report).toMatchObject({ done: true, problems: [{ check: 'tables' }] });
    expect(report.problems[0]?.message).toMatch(/^Table billing\.customers cannot be read: invalid page/);
  } finally {
    await damaged.drop();
  }
});

test('a main database in the place of billing is refused', async () => {
  const main = await createTestDatabase('main');
  try {
    await expect(warm({ targetDatabase: main.name })).rejects.toMatchObject({ code: 'wrong_database' });
  } finally {
    await main.drop();
  }
});
