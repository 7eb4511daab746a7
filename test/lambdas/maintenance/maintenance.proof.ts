import type { Client } from 'pg';
import { withConnection } from '../../../core/database/connector';
import type { MaintenanceTask, ResultOf, TaskRecord } from '../../../lambdas/maintenance/contract';
import { HOT_STATEMENTS } from '../../../lambdas/maintenance/hot-statements';
import { auditKeys } from '../../../lambdas/maintenance/key-audit';
import { listRecords } from '../../../lambdas/maintenance/records';
import { runTasks } from '../../../lambdas/maintenance/run';
import { waitUntil } from '../../../local/pass/check';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { noLogs, noReader, noRegions, silentLog } from '../../support/log';

const DAY_MS = 86_400_000;
/** Uses of indexes were counted for long enough by then. */
const LATER = new Date(Date.now() + 60 * DAY_MS);

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await createTestDatabase('billing');
  client = await database.client();
});
afterEach(() => database.drop());

interface Options {
  readonly dryRun?: boolean;
  readonly now?: Date;
  readonly remainingMs?: () => number;
}

/** Each run on a connection of its own, as in the function: its lock ends with it. */
async function run(tasks: readonly MaintenanceTask[], options: Options = {}): Promise<TaskRecord[]> {
  const { dryRun = false, now = LATER, remainingMs = () => 60_000 } = options;
  return withConnection(database.connector, (connection) =>
    withConnection(database.connector, (watcher) => {
      const dependencies = {
        client: connection,
        watcher,
        clock: () => now,
        remainingMs,
        log: silentLog,
        logs: noLogs,
        lookUpRegions: noRegions,
        withReader: noReader,
      };
      return runTasks(dependencies, { database: 'billing', tasks, dryRun });
    }),
  );
}
async function resultOf<Task extends MaintenanceTask>(task: Task, options: Options = {}): Promise<ResultOf<Task>> {
  const [record] = await run([task], options);
  if (!record?.result) throw new Error(`${task}: ${record?.outcome} ${record?.error}`);
  return record.result as ResultOf<Task>;
}

/** A table and an index that are nine tenths empty. */
async function plantBloat(): Promise<void> {
  await client.query(`
    CREATE TABLE public.swollen (id int, note text) WITH (autovacuum_enabled = off);
    INSERT INTO public.swollen SELECT n, repeat('x', 100) FROM generate_series(1, 60000) AS n;
    CREATE INDEX swollen_by_id ON public.swollen (id);
    DELETE FROM public.swollen WHERE id % 10 <> 0`);
  await client.query('SELECT pg_stat_force_next_flush()');
  await client.query('SELECT 1');
}

test('a vacuum takes up what changed, reports planted bloat, and a healthy table has none', async () => {
  await plantBloat();
  await client.query(`
    CREATE TABLE public.healthy (id int, note text);
    INSERT INTO public.healthy SELECT n, repeat('x', 100) FROM generate_series(1, 30000) AS n;
    CREATE INDEX healthy_by_id ON public.healthy (id)`);

  const { vacuumed, skipped, bloat } = await resultOf('vacuum');

  expect(vacuumed).toContainEqual(expect.objectContaining({ table: 'public.swollen', reason: '54000 dead rows' }));
  expect(skipped).toEqual([]);
  expect(bloat.map(({ relation, kind }) => [relation, kind])).toEqual([
    ['public.swollen', 'table'],
    ['public.swollen_by_id', 'index'],
  ]);
  for (const { bloatPercent } of bloat) expect(bloatPercent).toBeGreaterThan(80);
  const { rows } = await client.query(
    `SELECT n_dead_tup::int AS dead FROM pg_stat_user_tables WHERE relname = 'swollen'`,
  );
  expect(rows).toEqual([{ dead: 0 }]);
});

/** A vacuum at the pace of autovacuum takes a minute then; at full speed, no time. */
async function slowDown(): Promise<void> {
  await client.query(`ALTER DATABASE ${client.escapeIdentifier(database.name)} SET vacuum_cost_limit = 1`);
}

/** Waits until something is at work on the table. */
async function atWork(progress: 'pg_stat_progress_vacuum' | 'pg_stat_progress_create_index'): Promise<void> {
  await waitUntil(async () => {
    const { rowCount } = await client.query(`SELECT FROM ${progress} WHERE relid = 'public.swollen'::regclass`);
    return rowCount === 0 ? `${progress} shows nothing at work on public.swollen` : undefined;
  }, 10_000);
}

test('a vacuum goes at the pace of autovacuum, and gives way within seconds to a session that waits for its table', async () => {
  await plantBloat();
  await slowDown();
  const running = resultOf('vacuum', { remainingMs: () => 15_000 });
  await atWork('pg_stat_progress_vacuum');
  const startedMs = performance.now();
  await client.query('ALTER TABLE public.swollen ADD extra int');
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(await running).toMatchObject({
    vacuumed: expect.not.arrayContaining([expect.objectContaining({ table: 'public.swollen' })]),
    skipped: [{ relation: 'public.swollen', reason: 'another session waited (54000 dead rows)' }],
  });
});

test('a rebuild gives way to a session that waits for its table, and removes what it left', async () => {
  await plantBloat();
  await client.query('VACUUM (ANALYZE) public.swollen');
  // The rebuild waits for every older snapshot, and holds its locks meanwhile.
  const reader = await database.client();
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
  const running = resultOf('reindex', { remainingMs: () => 15_000 });
  await atWork('pg_stat_progress_create_index');
  const startedMs = performance.now();
  await client.query('ALTER TABLE public.swollen ADD extra int');
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  const { skipped, removed } = await running;
  expect(skipped).toEqual([{ relation: 'public.swollen_by_id', reason: 'another session waited' }]);
  await reader.query('ROLLBACK');
  // What it could not remove beside the reader, the next one does.
  expect([...removed, ...(await resultOf('reindex')).removed]).toEqual(['public.swollen_by_id_ccnew']);
});

test('a table that another session has locked is skipped, and not said to be vacuumed', async () => {
  await plantBloat();
  const holder = await database.client();
  await holder.query('BEGIN; LOCK TABLE public.swollen IN SHARE MODE');
  const { vacuumed, skipped } = await resultOf('vacuum');
  await holder.query('ROLLBACK');
  expect(vacuumed.map(({ table }) => table)).not.toContain('public.swollen');
  expect(skipped).toEqual([{ relation: 'public.swollen', reason: 'another session held a lock (54000 dead rows)' }]);
});

test('the longest unvacuumed table is first, whatever others hold', async () => {
  await plantBloat();
  await client.query(`
    CREATE TABLE public.earlier (id int) WITH (autovacuum_enabled = off);
    INSERT INTO public.earlier SELECT generate_series(1, 70000)`);
  await client.query('VACUUM public.earlier');
  await client.query('DELETE FROM public.earlier; SELECT pg_stat_force_next_flush()');
  const { vacuumed } = await resultOf('vacuum', { dryRun: true });
  const tables = vacuumed.map(({ table }) => table).filter((table) => table.startsWith('public.'));
  expect(tables).toEqual(['public.swollen', 'public.earlier']);
});

test('a large table may take half of the time that is left, and leaves the rest to the others', async () => {
  await plantBloat();
  await slowDown();
  const { vacuumed, skipped } = await resultOf('vacuum', { remainingMs: () => 3_000 });
  expect(skipped).toEqual([{ relation: 'public.swollen', reason: 'it took longer than 1.5 s (54000 dead rows)' }]);
  expect(vacuumed.length).toBeGreaterThan(0);
});

test('a dry run says what would be vacuumed, and changes and records nothing', async () => {
  await plantBloat();
  const { vacuumed } = await resultOf('vacuum', { dryRun: true });
  expect(vacuumed.map(({ table }) => table)).toContain('public.swollen');
  const { rows } = await client.query(`SELECT last_vacuum FROM pg_stat_user_tables WHERE relname = 'swollen'`);
  expect(rows).toEqual([{ last_vacuum: null }]);
  expect(await listRecords(client, 10)).toEqual([]);
});

test('a rebuild frees a bloated index and removes the leftover of one that was killed', async () => {
  await plantBloat();
  await client.query('VACUUM (ANALYZE) public.swollen');
  await client.query(`
    CREATE INDEX swollen_by_id_ccnew ON public.swollen (id);
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.swollen_by_id_ccnew'::regclass`);

  const { removed, rebuilt, skipped } = await resultOf('reindex');

  expect(removed).toEqual(['public.swollen_by_id_ccnew']);
  expect(skipped).toEqual([]);
  expect(rebuilt.map(({ index }) => index)).toEqual(['public.swollen_by_id']);
  expect(rebuilt[0]?.bytesAfter).toBeLessThan((rebuilt[0]?.bytesBefore ?? 0) / 5);
});

test('the check of indexes names the unused, the duplicate, the missing and the invalid one, and no other', async () => {
  await client.query(`
    CREATE TABLE public.parents (id int PRIMARY KEY, name text);
    CREATE TABLE public.children (id int PRIMARY KEY, parent_id int REFERENCES public.parents, other_id int REFERENCES public.parents);
    CREATE INDEX children_by_other ON public.children (other_id) WHERE other_id IS NOT NULL;
    CREATE INDEX parents_by_name ON public.parents (name);
    CREATE INDEX parents_by_name_and_id ON public.parents (name, id);
    INSERT INTO public.parents SELECT n, 'name ' || n FROM generate_series(1, 50000) AS n;
    INSERT INTO public.children SELECT n, n, n FROM generate_series(1, 50000) AS n;
    CREATE TABLE public.few (parent_id int REFERENCES public.parents);
    CREATE INDEX parents_broken ON public.parents (id, name);
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.parents_broken'::regclass`);

  const { countedSince, unused, duplicate, missing, invalid, explained, fullReads } = await resultOf('indexes');

  expect(countedSince).not.toBeNull();
  expect(unused.map(({ index }) => index).toSorted()).toEqual([
    'public.children_by_other',
    'public.parents_by_name',
    'public.parents_by_name_and_id',
  ]);
  expect(duplicate).toEqual([
    expect.objectContaining({ index: 'parents_by_name', table: 'parents', coveredBy: 'parents_by_name_and_id' }),
  ]);
  expect(missing).toEqual([
    expect.objectContaining({ table: 'public.children', columns: ['parent_id'], references: 'parents' }),
  ]);
  expect(invalid).toEqual(['public.parents_broken']);
  expect(explained).toBe(HOT_STATEMENTS.length);
  expect(fullReads).toEqual([]);
});

test('unused indexes are not named before their uses were counted for four weeks', async () => {
  await client.query(
    'CREATE TABLE public.young AS SELECT generate_series(1, 90000) AS id; CREATE INDEX young_by_id ON public.young (id)',
  );
  expect(await resultOf('indexes', { now: new Date() })).toMatchObject({ unused: [] });
});

test('a hot statement whose index is gone is named with the table that it reads', async () => {
  await client.query('DROP INDEX billing.purchases_by_payment_intent');
  const { fullReads } = await resultOf('indexes');
  expect(fullReads).toContainEqual({ statement: 'find_paid_sources', tables: ['billing.purchases'] });
});

test('sizes are measured beside those of a week and a month ago', async () => {
  const at = (days: number) => ({ now: new Date(LATER.getTime() + days * DAY_MS) });
  await client.query(`CREATE TABLE public.growing AS SELECT repeat('x', 100) FROM generate_series(1, 1000)`);
  const first = await resultOf('sizes', at(0));
  await client.query(`INSERT INTO public.growing SELECT repeat('x', 100) FROM generate_series(1, 50000)`);
  await resultOf('sizes', at(21));
  const third = await resultOf('sizes', at(28));

  const growing = (sizes: ResultOf<'sizes'>) => sizes.tables.find(({ table }) => table === 'public.growing');
  expect(growing(first)).toMatchObject({ weekAgoBytes: null, monthAgoBytes: null });
  expect(growing(third)).toMatchObject({
    weekAgoBytes: growing(third)?.bytes,
    monthAgoBytes: growing(first)?.bytes,
  });
  expect(third.monthAgoBytes).toBe(first.databaseBytes);
});

test('the audit of keys names those in force, the longest unused first, and none that ended or was revoked', async () => {
  await client.query(`
    INSERT INTO billing.api_keys (id, name, digest, scopes, projects, created_by, expires_at, revoked_at, revoked_by, last_used_at)
    SELECT 'abcdefghijk' || n, 'key ' || n, decode(repeat('0' || n, 32), 'hex'), '{metrics:read}', '{p1}', 'ann',
      CASE n WHEN 1 THEN '2026-01-01'::timestamptz WHEN 3 THEN '2099-01-01' END,
      CASE n WHEN 2 THEN now() END, CASE n WHEN 2 THEN 'ann' END, CASE n WHEN 3 THEN now() END
    FROM generate_series(1, 4) AS n`);
  const keys = await auditKeys(client, new Date());
  expect(keys.map(({ name, lastUsedAt, expiresAt }) => [name, lastUsedAt !== null, expiresAt])).toEqual([
    ['key 4', false, null],
    ['key 3', true, '2099-01-01T00:00:00.000Z'],
  ]);
});

test('a second run is refused while one is under way, and one that was killed is marked by the next', async () => {
  await run(['sizes']);
  await client.query(`UPDATE operations.maintenance_runs SET outcome = 'running', result = NULL, finished_at = NULL`);
  const holder = await database.client();
  await holder.query('SELECT pg_advisory_lock(7303029)');
  await expect(run(['sizes'])).rejects.toMatchObject({ code: 'maintenance_running', retryable: true });
  await holder.query('SELECT pg_advisory_unlock(7303029)');

  await run(['sizes']);
  expect((await listRecords(client, 10)).map(({ outcome }) => outcome)).toEqual(['done', 'interrupted']);
});

test('what has no time left is skipped and said, and a statement that takes too long is ended', async () => {
  await plantBloat();
  expect(await run(['vacuum'], { remainingMs: () => 0 })).toMatchObject([
    {
      outcome: 'partial',
      result: {
        vacuumed: [],
        skipped: expect.arrayContaining([expect.objectContaining({ relation: 'public.swollen' })]),
      },
    },
  ]);
  const holder = await database.client();
  await holder.query('VACUUM (ANALYZE) public.swollen');
  await holder.query('BEGIN; SELECT count(*) FROM public.swollen');
  const { rebuilt, skipped } = await resultOf('reindex', { remainingMs: () => 1_500 });
  await holder.query('ROLLBACK');
  expect({ rebuilt, skipped }).toEqual({
    rebuilt: [],
    skipped: [{ relation: 'public.swollen_by_id', reason: expect.stringMatching(/no time left|held a lock/) }],
  });
  // What it left behind waited for the same transaction, and is removed by the next rebuild.
  const { removed } = await resultOf('reindex');
  expect([removed, (await resultOf('indexes')).invalid]).toEqual([['public.swollen_by_id_ccold'], []]);
});

test('a role that may only read is told what it may not maintain, and nothing fails', async () => {
  await plantBloat();
  await client.query(`
    DROP ROLE IF EXISTS maintenance_reader; CREATE ROLE maintenance_reader;
    GRANT pg_read_all_data, pg_write_all_data TO maintenance_reader;
    GRANT SELECT, INSERT, UPDATE, DELETE ON operations.maintenance_runs TO maintenance_reader`);
  const connection = await database.connector.connect();
  await connection.query('SET SESSION AUTHORIZATION maintenance_reader');
  const records = await runTasks(
    {
      client: connection,
      watcher: client,
      clock: () => LATER,
      remainingMs: () => 60_000,
      log: silentLog,
      logs: noLogs,
      lookUpRegions: noRegions,
      withReader: noReader,
    },
    { database: 'billing', tasks: ['sizes', 'vacuum', 'indexes', 'reindex'], dryRun: false },
  );
  await connection.end();
  expect(records.map(({ task, outcome, error }) => [task, outcome, error])).toEqual([
    ['sizes', 'done', null],
    ['vacuum', 'partial', null],
    ['indexes', 'done', null],
    ['reindex', 'done', null],
  ]);
  expect(records[1]?.result).toMatchObject({
    skipped: expect.arrayContaining([
      { relation: 'public.swollen', reason: 'the role may not maintain it (54000 dead rows)' },
    ]),
  });
  await client.query(`DROP OWNED BY maintenance_reader; DROP ROLE maintenance_reader`);
});
