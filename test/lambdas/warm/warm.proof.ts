import type { Client } from 'pg';
import type { WarmPosition, WarmReport } from '../../../lambdas/warm/contract';
import { warmDatabase } from '../../../lambdas/warm/core';
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
  readonly continueFrom?: WarmPosition | null;
  readonly remainingMs?: () => number;
}

function warm({ remainingMs = () => 60_000, ...request }: Call = {}): Promise<WarmReport> {
  return warmDatabase({ connector: database.connector, clock: () => new Date(), remainingMs }, request);
}

/** Calls until everything is warm, each from where the previous one stopped, as the recovery workflow does. */
async function warmInCalls(callOf: () => Call): Promise<WarmReport[]> {
  const calls: WarmReport[] = [];
  for (let report: WarmReport | undefined; !report?.done; calls.push(report)) {
    if (calls.length > 100) throw new Error(`Warming does not end: ${JSON.stringify(report)}`);
    report = await warm({ ...callOf(), continueFrom: report?.continueFrom });
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

test('warming reads every table and index in one call when the time suffices, and changes nothing', async () => {
  const before = await contentOf(database.name);
  const report = await warm();
  expect(report).toMatchObject({
    done: true,
    continueFrom: null,
    unreadable: [],
    skippedPages: [],
    includesIndexes: true,
    bytesLeft: 0,
  });
  expect(report.bytesRead).toBe(await bytesOf('tables and indexes'));
  expect(await contentOf(database.name)).toEqual(before);
});

test('warming a server without pg_prewarm reads the tables, and reports that indexes are not included', async () => {
  await client.query('DROP EXTENSION pg_prewarm');
  const report = await warm();
  expect(report).toMatchObject({ done: true, includesIndexes: false });
  expect(report.bytesRead).toBe(await bytesOf('tables'));
});

test('a call that runs out of time answers where to continue, and the calls together read every page once', async () => {
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

test('a call without any time reads nothing and answers the place that it was given', async () => {
  const continueFrom: WarmPosition = { kind: 'index', oid: 1, page: 0, chunkPages: 8192 };
  const report = await warm({ continueFrom, remainingMs: () => 0 });
  expect(report).toMatchObject({ done: false, bytesRead: 0, continueFrom: { kind: 'index', page: 0 } });
});

test('warming skips and names a page whose values take longer than a whole call, and reads the rest', async () => {
  await client.query(`CREATE TABLE billing.slow (value text);
    INSERT INTO billing.slow SELECT repeat(md5(n::text), 100000) FROM generate_series(1, 30) n`);
  const calls = await warmInCalls(() => ({ remainingMs: () => 30 }));
  expect(calls.flatMap(({ skippedPages }) => skippedPages)).toContain('billing.slow page 0');
  expect(calls.at(-1)).toMatchObject({ done: true, bytesLeft: 0 });
  // The calls before tried smaller and smaller chunks.
  expect(calls.some((call) => call.continueFrom?.chunkPages === 1)).toBe(true);
});

test('warming names a table with an unreadable page, and reads the rest', async () => {
  const damaged = await copyWithDamagedPage(database, 'billing.customers');
  try {
    const report = await warm({ targetDatabase: damaged.name });
    expect(report).toMatchObject({ done: true, unreadable: [{ kind: 'table', name: 'billing.customers' }] });
    expect(report.unreadable[0]?.message).toMatch(/^invalid page in block 0/);
  } finally {
    await damaged.drop();
  }
});

test('warming names a database that the server does not have, and those that it has', async () => {
  await expect(warm({ targetDatabase: 'billing_restord' })).rejects.toMatchObject({
    code: 'wrong_database',
    message: expect.stringMatching(
      new RegExp(`^targetDatabase: .+ has no database billing_restord; it has ${database.name}`),
    ) as string,
  });
});

test('warming refuses a main database in the place of billing', async () => {
  const main = await createTestDatabase('main');
  try {
    await expect(warm({ targetDatabase: main.name })).rejects.toMatchObject({ code: 'wrong_database' });
  } finally {
    await main.drop();
  }
});
