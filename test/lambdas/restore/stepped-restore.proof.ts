import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { CompleteManifest } from '../../../core/archive/manifest';
import { runRestore } from '../../../lambdas/restore/core';
import { isTooLarge } from '../../../core/restore/workflow';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';
import { compareSchemas } from '../../../core/schema/compare';
import { waitUntil } from '../../../local/pass/check';
import { type ArchiveSite, contentOf, createArchiveSite, manifestAt } from '../../factories/archive';
import { EVERY_KIND_OF_TABLE, EVERY_KIND_OF_VALUE } from '../../factories/every-kind';
import { SteppedRestore } from '../../factories/stepped-restore';
import { StillArchive } from '../../factories/still-archive';
import { asAdministrator, clusterSecrets, clusterTarget } from '../../support/database';
import { createConnector } from '../../../core/database/connector';
import { captureCurrent } from '../../../core/schema/capture';
import { PG_DUMP_WORKER } from '../../support/schema';

/** A restore in many calls; its index on `public.slow` takes the server two seconds. */
const CONTENT = `
  CREATE FUNCTION public.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN IF $1 = 1 THEN PERFORM pg_sleep(2); END IF; RETURN $1; END $$;
  CREATE TABLE public.orders (id int PRIMARY KEY, parent int REFERENCES public.orders, text text, UNIQUE (text));
  CREATE INDEX slowly ON public.orders (public.slow(id));
  CREATE TABLE public.wide (text text);
  CREATE TABLE public.counted (id serial PRIMARY KEY, note text);
  CREATE MATERIALIZED VIEW public.totals AS SELECT count(*) FROM public.orders;`;
const ROWS = `${EVERY_KIND_OF_TABLE}${EVERY_KIND_OF_VALUE}
  RESET search_path;
  INSERT INTO public.orders SELECT n, n - 1, repeat('x', 60) || n FROM generate_series(2, 6000) n;
  INSERT INTO public.wide SELECT repeat('x', 1000) || n FROM generate_series(1, 600) n;
  INSERT INTO public.counted (id, note) VALUES (7, 'by hand');
  REFRESH MATERIALIZED VIEW public.totals;
  SELECT lo_from_bytea(n, string_agg(sha512((n || '/' || m)::bytea), '')) FROM generate_series(70001, 70003) n, generate_series(1, 1000) m GROUP BY n;`;

let site: ArchiveSite;
let targets = 0;

beforeAll(async () => {
  site = await createArchiveSite('main', CONTENT);
  await asAdministrator(
    (client) => client.query(`INSERT INTO public.orders VALUES (1, NULL, 'first'); ${ROWS}`),
    site.source.name,
  );
  await new StillArchive(site, { partBytes: 64 * 1024 }).make();
});

afterAll(() => site.remove());

const started: SteppedRestore[] = [];
function begin(overrides: ConstructorParameters<typeof SteppedRestore>[2] = {}, target?: string): SteppedRestore {
  targets += 1;
  const startedAt = new Date(Date.now() + targets * 1000).toISOString();
  const restore = new SteppedRestore(site, target ?? `stepped_${site.source.name}_${targets}`, overrides, startedAt);
  started.push(restore);
  return restore;
}

afterEach(async () => {
  for (const restore of started.splice(0)) {
    await restore.discard();
    await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${restore.targetDatabase} WITH (FORCE)`));
  }
});

const query = async (database: string, sql: string) =>
  asAdministrator(async (client) => (await client.query<Record<string, unknown>>(sql)).rows, database);
const nameOf = ({ restoring }: SteppedRestore) => restoring?.name ?? '';
const schemaOf = (database: string) =>
  captureCurrent({
    connector: createConnector(clusterTarget(database, 'main'), clusterSecrets(), 'test'),
    workerFile: PG_DUMP_WORKER,
  });

test('a restore in many calls makes the database that one call makes', async () => {
  const restore = begin();
  const proof = await restore.run();
  expect(restore.groups).toBeGreaterThan(4);
  expect(restore.builds).toBe(1);
  const atOnce = await site.restore();
  const { durationMs: _durationMs, ...expected } = atOnce;
  expect(expected).toMatchObject({ ...proof, deviations: expect.any(Array) as unknown[] });
  const byObject = (one: { object: string }, other: { object: string }) => (one.object < other.object ? -1 : 1);
  expect(proof.deviations.toSorted(byObject)).toEqual(atOnce.deviations.toSorted(byObject));
  expect(await contentOf(restore.targetDatabase)).toEqual(await contentOf(site.source.name));
  expect(compareSchemas(await schemaOf(atOnce.targetDatabase), await schemaOf(restore.targetDatabase))).toEqual([]);
  const objects = `SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid`;
  expect(await query(restore.targetDatabase, objects)).toEqual(await query(site.source.name, objects));
  expect(await query(restore.targetDatabase, 'SELECT count FROM public.totals')).toEqual([{ count: '6000' }]);
});

test('an archive that was written in parts is left to the workflow, by its time, and a small one is not', async () => {
  const sfn = mockClient(SFNClient);
  sfn.on(StartExecutionCommand).resolves({ executionArn: 'arn:execution' });
  const stateMachineArn = 'arn:aws:states:eu-central-1:1:stateMachine:BillingOps-test-restore-main';
  const workflow = { sfn: sfn as unknown as SFNClient, stateMachineArn, limitBytes: 1024 ** 4 };
  const connector = createConnector(clusterTarget(site.source.name, 'main'), clusterSecrets(), 'test');
  const report = await runRestore(
    {
      connector,
      store: site.store,
      migrationsDirectory: site.migrations.directory,
      erasures: noErasures,
      log: silentLog,
      clock: () => new Date('2026-11-21T12:00:00Z'),
      workflow,
    },
    { archive: 'latest', targetDatabase: 'main_before', afterwards: 'keep' },
  );
  expect(report).toMatchObject({ outcome: 'started', execution: 'arn:execution', slot: '2026-11-21T06:00:00Z' });
  expect(sfn.commandCalls(StartExecutionCommand).map(({ args: [{ input }] }) => input)).toEqual([
    {
      stateMachineArn,
      name: 'main_before-20261121T120000Z',
      input: JSON.stringify({
        request: { archive: '2026-11-21T06:00:00Z', targetDatabase: 'main_before' },
        afterwards: 'keep',
      }),
    },
  ]);
  const manifest = await manifestAt(site.store, 'archives/main/20261121T060000Z/manifest.json');
  const { recoveryPoint: _recoveryPoint, ...small } = manifest as CompleteManifest;
  expect(isTooLarge(small, workflow, { entries: [] })).toBe(false);
  expect(isTooLarge({ ...small, bytes: 1024 ** 4 + 1 }, workflow, { entries: [] })).toBe(true);
});

test('a part that is loaded twice at once, or killed while it is loaded, is there once or not at all', async () => {
  const restore = begin();
  await restore.prepare();
  const rows = () => query(nameOf(restore), 'SELECT count(*)::int AS rows FROM public.orders');
  const numbers = Array.from({ length: restore.groups }, (_, number) => number);
  const blocker = await createConnector(clusterTarget(nameOf(restore), 'main'), clusterSecrets(), 'blocker').connect();
  await blocker.query('BEGIN; LOCK TABLE public.orders IN EXCLUSIVE MODE');
  const killed = Promise.allSettled(numbers.map((number) => restore.load(number)));
  const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = '${nameOf(restore)}' AND wait_event_type = 'Lock'`;
  await waitUntil(async () => ((await query('postgres', waiting)).length > 0 ? undefined : 'no load waits'), 10_000);
  await query('postgres', `SELECT pg_terminate_backend(pid) FROM (${waiting}) w`);
  await blocker.query('ROLLBACK');
  await blocker.end();
  const failures = (await killed).filter(({ status }) => status === 'rejected');
  expect(failures.length).toBeGreaterThan(0);
  const [before] = await rows();
  expect(before?.rows).toBeLessThan(6000);
  await expect(restore.complete()).rejects.toMatchObject({ code: 'archive_inconsistent' });

  await Promise.all([...numbers, ...numbers].map((number) => restore.load(number)));
  expect(await rows()).toEqual([{ rows: 6000 }]);
  for (const number of numbers) expect(await restore.load(number)).toMatchObject({ rows: 0 });
});

test('an index that outlasts its call is completed by the server, and built once', async () => {
  const restore = begin();
  await restore.prepare();
  for (let number = 0; number < restore.groups; number += 1) await restore.load(number);
  const indexes = () =>
    query(nameOf(restore), `SELECT FROM pg_indexes WHERE indexname = 'slowly'`).then((found) => found.length);
  expect(await restore.index(0, { stop: AbortSignal.timeout(700) })).toMatchObject({ done: false });
  expect(await restore.index(0)).toMatchObject({ done: false });
  expect(await indexes()).toBe(0);
  await waitUntil(async () => ((await restore.index(0)).done ? undefined : 'the index is not there'), 10_000);
  expect(await indexes()).toBe(1);
});

test('parts that were loaded before, in other groups, are left out', async () => {
  const small = begin();
  await small.prepare();
  for (let number = 0; number < small.groups; number += 2) await small.load(number);
  const large = begin({ groupBytes: 1024 ** 3 }, small.targetDatabase);
  expect(await large.prepare()).toMatchObject({ resumed: true, groups: 1 });
  await large.load(0);
  const { 'billing_operations_restore.steps': _journal, ...content } = await contentOf(nameOf(large));
  expect(content).toEqual(await contentOf(site.source.name));
});

test('thousands of large objects are loaded by one call', async () => {
  const many = await createArchiveSite('main');
  // A transaction holds a lock for each.
  for (let made = 0; made < 5; made += 1) {
    await query(many.source.name, `SELECT lo_from_bytea(0, 'small') FROM generate_series(1, 1000)`);
  }
  await new StillArchive(many, {}).make();
  const restore = new SteppedRestore(many, `stepped_${many.source.name}`, { groupBytes: 1024 ** 3 });
  await restore.run();
  const objects = `SELECT count(*)::int, md5(string_agg(oid || '=' || lo_get(oid)::text, ' ' ORDER BY oid)) FROM pg_largeobject_metadata`;
  const found = await query(restore.targetDatabase, objects);
  expect(found).toMatchObject([{ count: 5000 }]);
  expect(found).toEqual(await query(many.source.name, objects));
  await asAdministrator((client) => client.query(`DROP DATABASE ${restore.targetDatabase} WITH (FORCE)`));
  await many.remove();
});

test('a preparation that is repeated while the first call still runs finds its database, and does not begin again', async () => {
  const restore = begin();
  const [first, second] = await Promise.all([restore.prepare(), restore.prepare()]);
  expect([first, second].filter(({ resumed }) => resumed)).toHaveLength(1);
});

test('a completion leaves another that still runs alone, and a proof waits for one', async () => {
  await site.migrations.add('create_later', 'CREATE TABLE public.later (id int)');
  const restore = begin();
  await restore.prepare();
  for (let number = 0; number < restore.groups; number += 1) await restore.load(number);
  const name = nameOf(restore);
  const other = await createConnector(clusterTarget(name, 'main'), clusterSecrets(), 'test').connect();
  const lock = (step: string) => other.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [step]);
  await lock('completion of a restore');
  expect(await restore.complete()).toMatchObject({ done: false });
  await other.query('SELECT pg_advisory_unlock_all()');
  expect(await restore.complete()).toMatchObject({ done: true });
  await lock('proof of a restore');
  const proof = restore.prove();
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = '${name}' AND wait_event = 'advisory'`;
  await waitUntil(async () => ((await query(name, waiting)).length === 1 ? undefined : 'a proof that waits'), 10_000);
  await other.end();
  expect((await proof).proof.migratedForward).toHaveLength(1);
  expect((await restore.prove()).proof.migratedForward).toHaveLength(1);
});

test('a session that looks at a proven database does not keep it from its name', async () => {
  const restore = begin();
  await restore.proveAll();
  const looking = await createConnector(clusterTarget(nameOf(restore), 'main'), clusterSecrets(), 'psql').connect();
  await restore.release();
  await looking.end().catch(() => undefined);
  expect(await query(restore.targetDatabase, 'SELECT count FROM public.totals')).toEqual([{ count: '6000' }]);
});

test('a killed restore is continued by the next one of the same archive to the same name', async () => {
  const killed = begin();
  await killed.prepare();
  await killed.load(0);
  const next = begin({}, killed.targetDatabase);
  expect(await next.prepare()).toMatchObject({ resumed: true, name: nameOf(killed) });
  expect(await next.load(0)).toMatchObject({ rows: 0 });
  const other = begin();
  expect(await other.prepare()).toMatchObject({ resumed: false });
});

test('what a restore left that was given up is dropped by the next one, and a database that is not proven is never released', async () => {
  const left = begin();
  await left.prepare();
  await expect(left.release()).rejects.toMatchObject({ code: 'database_unproven' });
  const later = begin({ clock: () => new Date(Date.now() + 25 * 3_600_000) });
  await later.prepare();
  const names = await query('postgres', `SELECT datname FROM pg_database WHERE datname = '${nameOf(left)}'`);
  expect(names).toEqual([]);
});

test('rows that break a key end the restore with the name of the key', async () => {
  const restore = begin();
  await restore.prepare();
  for (let number = 0; number < restore.groups; number += 1) await restore.load(number);
  await query(nameOf(restore), `INSERT INTO public.orders VALUES (5, NULL, 'twice')`);
  await expect(restore.index(0)).rejects.toMatchObject({
    code: 'archive_inconsistent',
    message: expect.stringContaining('CONSTRAINT public.orders orders_pkey') as string,
  });
});

test('a pending migration that fails is named first, and its database is proven and released all the same', async () => {
  const failing = await site.migrations.add('divide_by_zero', 'SELECT 1 / 0;');
  const restore = begin();
  const { deviations, migratedForward } = await restore.proveAll();
  expect(deviations[0]).toMatchObject({ object: `MIGRATION ${failing}` });
  expect(migratedForward).not.toContain(failing);
  // Step Functions repeats a step whose answer was lost.
  expect((await restore.prove()).proof.deviations[0]).toEqual(deviations[0]);
  await restore.release();
  expect(await query(restore.targetDatabase, 'SELECT count FROM public.totals')).toEqual([{ count: '6000' }]);
  await rm(path.join(site.migrations.directory, `${failing}.sql`));
});
