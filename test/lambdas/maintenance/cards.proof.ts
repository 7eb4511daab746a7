import type { Client, ClientBase } from 'pg';
import { FORGET_CARD_ROWS } from '../../../core/erasure/card-rows';
import { withConnection } from '../../../core/database/connector';
import type { ResultOf, TaskRecord } from '../../../lambdas/maintenance/contract';
import { scanCards } from '../../../lambdas/maintenance/cards/scan';
import { loggedRecord } from '../../../lambdas/maintenance/records';
import { runTasks } from '../../../lambdas/maintenance/run';
import { waitUntil } from '../../../local/pass/check';
import { taskLines } from '../../../ops/print/maintenance';
import { styleOf } from '../../../ops/print/style';
import { idsOfDigits, PLANTED_CARD } from '../../factories/card-corpus';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { noLogs, noRegions, silentLog } from '../../support/log';

const GROUPED = PLANTED_CARD.replaceAll(/(\d{4})(?=\d)/g, '$1 ');

/** Each waits seconds at most. */
jest.setTimeout(30_000);

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterEach(() => database.drop());

async function scan(remainingMs: () => number = () => 60_000): Promise<TaskRecord & { readonly task: 'cards' }> {
  const [record] = await withConnection(database.connector, (connection) =>
    withConnection(database.connector, (watcher) => {
      const dependencies = {
        client: connection,
        watcher,
        clock: () => new Date(),
        remainingMs,
        log: silentLog,
        logs: noLogs,
        lookUpRegions: noRegions,
        // The same session: a scan that loses it is a function that was killed.
        withReader: <T>(work: (reader: ClientBase) => Promise<T>) => work(connection),
      };
      return runTasks(dependencies, { database: 'billing', tasks: ['cards'], dryRun: false });
    }),
  );
  if (record?.task !== 'cards') throw new Error('The run has no scan of cards');
  return record;
}
async function resultOf(remainingMs?: () => number): Promise<ResultOf<'cards'>> {
  const { result, error } = await scan(remainingMs);
  if (!result) throw new Error(String(error));
  return result;
}

test('planted cards are found with table, column and row, ids of digits are not, and no digit of a card is anywhere', async () => {
  await client.query(`
    CREATE DOMAIN public.remark AS text;
    CREATE TABLE public.notes (id int PRIMARY KEY, note public.remark, tags varchar[], document json, picture bytea);
    CREATE TABLE public.keyless (line text);
    CREATE TABLE public.keyed (card text PRIMARY KEY, paid boolean);
    CREATE TABLE public.mixed (id text PRIMARY KEY, note text);
    CREATE TABLE public.orders (id int PRIMARY KEY, number text);
    CREATE TABLE public.parts (id int, note text, PRIMARY KEY (id, note)) PARTITION BY LIST (id);
    CREATE TABLE public.part_one PARTITION OF public.parts FOR VALUES IN (1)`);
  await client.query(
    `INSERT INTO public.notes VALUES (1, 'nothing', NULL), (2, 'card ' || $1 || ' cvc 123', NULL), (3, 'x', ARRAY['a', $1::text])`,
    [GROUPED],
  );
  await client.query(`INSERT INTO public.notes (id, document) VALUES (4, json_build_object('number', $1::text))`, [
    PLANTED_CARD,
  ]);
  await client.query(`INSERT INTO public.keyless VALUES ('nothing'), ($1)`, [PLANTED_CARD]);
  await client.query(`INSERT INTO public.keyed VALUES ($1, true)`, [PLANTED_CARD]);
  const dotted = GROUPED.replaceAll(' ', '.');
  const keys = [`cus_${PLANTED_CARD}`, `${PLANTED_CARD}-1`, `${PLANTED_CARD}+a@b.c`, dotted];
  await client.query(`INSERT INTO public.mixed SELECT id, $2 FROM unnest($1::text[]) AS id`, [keys, GROUPED]);
  await client.query(`INSERT INTO public.parts VALUES (1, 'pan=' || $1::text)`, [PLANTED_CARD]);
  await client.query(`INSERT INTO public.orders SELECT n, id FROM unnest($1::text[]) WITH ORDINALITY AS o (id, n)`, [
    idsOfDigits(500),
  ]);
  await client.query(
    `INSERT INTO billing.webhook_events (provider, id, type, payload, occurred_at, livemode, status, source, attempts, received_at, processed_at)
     VALUES ('stripe', 'evt_1', 'x', json_build_object('data', json_build_object('note', $1::text)), now(), false, 'ignored', 'webhook', 1, now(), now())`,
    [GROUPED],
  );

  const record = await scan();
  expect(record.outcome).toBe('done');
  const { findings, found, probableIds } = record.result as ResultOf<'cards'>;
  const places = findings.map(
    ({ table, column, row, withCode }) => `${table}.${column} ${row}${withCode ? ' code' : ''}`,
  );
  expect(places.toSorted()).toEqual([
    'billing.webhook_events.payload stripe,evt_1',
    'public.keyed.card ctid (0,1)',
    'public.keyless.line ctid (0,2)',
    'public.mixed.id ctid (0,3)',
    ...[1, 2, 3, 4].map((item) => `public.mixed.note ctid (0,${item})`),
    'public.notes.document 4',
    'public.notes.note 2 code',
    'public.notes.tags 3',
    'public.part_one.note ctid (0,1)',
  ]);
  expect(found).toBe(places.length);
  expect(probableIds).toBeGreaterThan(20);
  const lines = taskLines([record], styleOf({}, {}), new Date()).join('\n');
  process.stdout.write(`${lines}\n`);
  const { rows } = await client.query<{ result: string }>('SELECT result::text FROM operations.maintenance_runs');
  for (const text of [lines, ...rows.map(({ result }) => result)]) {
    expect(text).toContain('webhook_events');
    expect(text).not.toMatch(/4532|0362/);
  }
  expect(JSON.stringify(loggedRecord(record))).not.toMatch(/evt_1|ctid/);
});

test('a large table is scanned over several runs, and a card is reported until it is gone', async () => {
  const other = await createTestDatabase('empty');
  try {
    const session = await other.client();
    await session.query(
      `CREATE TABLE large (id int PRIMARY KEY, note text STORAGE PLAIN) WITH (autovacuum_enabled = off)`,
    );
    await session.query(`INSERT INTO large SELECT n, repeat('x', 2000) FROM generate_series(1, 800) AS n`);
    await session.query(`UPDATE large SET note = $1 WHERE id IN (1, 799)`, [PLANTED_CARD]);
    const { rows } = await session.query<{ blocks: number }>(
      `SELECT (pg_relation_size('large') / 8192)::int AS blocks`,
    );
    let last: ResultOf<'cards'> | undefined;
    /** Time for some parts of the table. */
    const scanPart = async (parts: number): Promise<ResultOf<'cards'>> => {
      let asked = 0;
      const remainingMs = () => ((asked += 1) <= parts + 2 ? 60_000 : 0);
      last = await scanCards({ client: session, now: new Date(), remainingMs, last, save: () => Promise.resolve() });
      return last;
    };
    const runs = [await scanPart(2)];
    expect(runs[0]).toMatchObject({
      found: 0,
      tables: [{ table: 'public.large', scanned: 24, nextBlock: 24, wholeAt: null }],
    });
    while (runs.at(-1)?.tables[0]?.wholeAt === null) runs.push(await scanPart(2));
    expect(runs.length).toBeGreaterThan(3);
    expect(runs.reduce((sum, run) => sum + (run.tables[0]?.scanned ?? 0), 0)).toBe(rows[0]?.blocks);
    const rowsOf = ({ findings }: ResultOf<'cards'>) => findings.map(({ row }) => row).toSorted();
    expect(rowsOf(runs.at(-1) as ResultOf<'cards'>)).toEqual(['1', '799']);
    // It begins again, far from the cards, and knows of them.
    await session.query(`UPDATE large SET note = 'none' WHERE id = 1`);
    const again = await scanPart(1);
    expect(again.tables[0]).toMatchObject({ scanned: 8, nextBlock: 8 });
    expect(rowsOf(again)).toEqual(['799']);
  } finally {
    await other.drop();
  }
});

test('a scan whose connection is lost continues where it was, and what it had found is reported', async () => {
  await client.query(
    `CREATE TABLE public.a (id int PRIMARY KEY, note text); CREATE TABLE public.b (id int PRIMARY KEY, note text)`,
  );
  await client.query(`INSERT INTO public.a VALUES (1, $1)`, [PLANTED_CARD]);
  await client.query(`INSERT INTO public.b VALUES (1, $1)`, [PLANTED_CARD]);
  await client.query('BEGIN; LOCK TABLE public.b IN ACCESS EXCLUSIVE MODE');
  const killed = scan().catch((error: unknown) => error);
  await waitUntil(async () => {
    const { rowCount } = await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'public.b'::regclass AND NOT granted`,
    );
    return rowCount === 0 ? 'the scan does not wait for public.b' : undefined;
  }, 20_000);
  expect(await killed).toBeInstanceOf(Error);
  const { rows } = await client.query<{ outcome: string; found: string }>(
    `SELECT outcome, result->>'found' AS found FROM operations.maintenance_runs`,
  );
  expect(rows).toEqual([{ outcome: 'running', found: '1' }]);
  await client.query('ROLLBACK');
  const { findings } = await resultOf();
  expect(findings.map(({ table }) => table).toSorted()).toEqual(['public.a', 'public.b']);
});

test('what the scan may not read, or not wait for, is listed', async () => {
  await client.query(`CREATE TABLE public.busy (id int PRIMARY KEY, note text)`);
  await client.query(`INSERT INTO public.busy VALUES (1, 'x')`);
  const holder = await database.client();
  await holder.query('BEGIN; LOCK TABLE public.busy IN ACCESS EXCLUSIVE MODE');
  const { outcome, result } = await scan();
  expect(outcome).toBe('partial');
  expect(result?.skipped).toEqual([{ relation: 'public.busy', reason: 'canceling statement due to lock timeout' }]);
  await holder.query('ROLLBACK');
});

test('a scan without time for every table lists those that it did not read, and is no clean scan', async () => {
  await client.query(`CREATE TABLE public.a (note text); CREATE TABLE public.b (note text)`);
  await client.query(`INSERT INTO public.a VALUES ('x'); INSERT INTO public.b VALUES ('x')`);
  let asked = 0;
  const record = await scan(() => ((asked += 1) <= 4 ? 60_000 : 0));
  expect(record.outcome).toBe('partial');
  const unread = record.result?.tables.filter(({ scannedAt }) => scannedAt === null).map(({ table }) => table);
  expect(unread).toContain('public.b');
  expect(record.result?.skipped).toContainEqual({ relation: 'public.b', reason: 'no time was left' });
  const lines = taskLines([record], styleOf({}, {}), new Date()).join('\n');
  expect(lines).toContain('no card number found in what was read');
  expect(lines).toMatch(/never read: .*public\.b/);
});

test('a card stays reported while it is there: on a page that is locked, in a row that moved, beyond the list and after an erasure', async () => {
  await client.query(`
    CREATE TABLE public.many (id int PRIMARY KEY, note text) WITH (autovacuum_enabled = off);
    CREATE TABLE public.keyless (id int, note text) WITH (autovacuum_enabled = off)`);
  for (const name of ['many', 'keyless']) {
    await client.query(`INSERT INTO public.${name} SELECT n, $1 FROM generate_series(1, 150) AS n`, [GROUPED]);
  }
  // Time to look again, and for no table.
  const onlyAgain = () => {
    let asked = 0;
    return () => ((asked += 1) === 1 ? 60_000 : 0);
  };
  expect((await resultOf()).found).toBe(300);

  await client.query('BEGIN; LOCK TABLE public.many IN ACCESS EXCLUSIVE MODE');
  expect((await resultOf(onlyAgain())).found).toBe(300);
  await client.query('ROLLBACK');

  for (const name of ['many', 'keyless']) {
    await client.query(`UPDATE public.${name} SET note = note || ' moved' WHERE id <= 5`);
    await client.query(`INSERT INTO public.${name} SELECT n, 'none' FROM generate_series(1001, 3000) AS n`);
    await client.query(`UPDATE public.${name} SET note = note || ' again' WHERE id <= 5`);
    await client.query(`UPDATE public.${name} SET note = 'none' WHERE id BETWEEN 6 AND 140`);
  }
  const moved = (await resultOf(onlyAgain())).findings;
  const rows = moved.filter(({ table }) => table === 'public.many').map(({ row }) => Number(row));
  expect(rows.toSorted((one, other) => one - other)).toEqual([
    1,
    2,
    3,
    4,
    5,
    ...Array.from({ length: 10 }, (_, n) => n + 141),
  ]);
  // A row without a key cannot be looked up: each stays until the table was read whole.
  const missing = moved.filter(({ table, missingSince }) => table === 'public.keyless' && missingSince !== null);
  expect(missing).toHaveLength(140);

  await client.query(FORGET_CARD_ROWS);
  const { rows: recorded } = await client.query<{ result: string }>(
    `SELECT result->>'findings' AS result FROM operations.maintenance_runs`,
  );
  expect(recorded.map(({ result }) => result).join()).not.toMatch(/"row": "(?!erased")/);
  const after = (await resultOf(onlyAgain())).findings;
  expect(after.filter(({ table, row }) => table === 'public.many' && row !== 'erased')).toHaveLength(15);
  expect((await resultOf()).found).toBe(30);
});

test('an erasure during a scan keeps the rows of its findings out of the record', async () => {
  await client.query(`CREATE TABLE public.people (email text PRIMARY KEY, note text)`);
  await client.query(`INSERT INTO public.people VALUES ('one@example.com', $1)`, [GROUPED]);
  let asked = 0;
  const erasing: Promise<unknown>[] = [];
  await scan(() => {
    asked += 1;
    if (asked === 2) erasing.push(client.query(FORGET_CARD_ROWS));
    return 60_000;
  });
  await Promise.all(erasing);
  const { rows } = await client.query<{ found: string; result: string }>(
    `SELECT result->>'found' AS found, result::text AS result FROM operations.maintenance_runs`,
  );
  expect(rows).toMatchObject([{ found: '1' }]);
  expect(rows[0]?.result).not.toContain('one@example.com');
});
