import { createHash } from 'node:crypto';
import { planKey } from '../../../core/archive/keys';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  listKeys,
  manifestAt,
  readObject,
  replaceObject,
} from '../../factories/archive';
import { EVERY_KIND_OF_TABLE, EVERY_KIND_OF_VALUE } from '../../factories/every-kind';
import { RECOVERY_POINT, StillArchive } from '../../factories/still-archive';
import { asAdministrator } from '../../support/database';

const HOUR_MS = 60 * 60 * 1000;
/** Small, so that tables and large objects have several parts. */
const PARTS = { partBytes: 64 * 1024 };
const CONTENT = `
  CREATE TABLE public.many (id int PRIMARY KEY, text text);
  CREATE UNLOGGED TABLE public.passing (id int);`;
const ROWS = `
  INSERT INTO public.many SELECT n, repeat('x', 100) FROM generate_series(1, 3000) n;
  SELECT lo_from_bytea(n, string_agg(sha512((n || '/' || m)::bytea), '')) FROM generate_series(70001, 70004) n, generate_series(1, 1000) m GROUP BY n;`;

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('main', CONTENT);
  await write(ROWS);
});

afterEach(async () => {
  await site.remove();
});

/** By a session that ends: one that stays is another matter. */
async function write(sql: string): Promise<void> {
  await asAdministrator((client) => client.query(sql), site.source.name);
}

const largeObjectsOf = (database: string) =>
  asAdministrator(async (client) => {
    const { rows } = await client.query<{ line: string }>(
      `SELECT oid || ' ' || md5(lo_get(oid)) AS line FROM pg_largeobject_metadata ORDER BY 1`,
    );
    return rows;
  }, database);

test('an archive that is copied part by part restores to the same rows and large objects, by the same code', async () => {
  await write(`${EVERY_KIND_OF_TABLE}${EVERY_KIND_OF_VALUE}`);
  const archive = new StillArchive(site, PARTS);
  const plan = await archive.plan();
  const parts = await archive.parts(plan);
  expect(parts).toHaveLength(plan.parts);
  expect(parts.filter((key) => key.includes('public.many'))).toHaveLength(7);
  expect(parts.filter((key) => key.includes('pg_catalog.pg_largeobject/'))).toHaveLength(4);
  // In any order, and some of them twice.
  for (const part of parts.toReversed()) expect(await archive.copy(part)).toMatchObject({ outcome: 'copied' });
  for (const part of parts.slice(0, 3)) expect(await archive.copy(part)).toMatchObject({ outcome: 'kept' });

  const report = await archive.publish();
  expect(report).toMatchObject({
    outcome: 'created',
    omissions: [{ kind: 'unlogged-rows', object: 'public.passing' }],
  });
  expect(await manifestAt(site.store, report.manifestKey)).toMatchObject({ recoveryPoint: RECOVERY_POINT });

  const restored = await site.restore();
  expect(await contentOf(restored.targetDatabase)).toEqual(await contentOf(site.source.name));
  expect(await largeObjectsOf(restored.targetDatabase)).toEqual(await largeObjectsOf(site.source.name));
});

test('equal rows make equal parts, whatever else reads the table', async () => {
  // PostgreSQL reserves pages ahead for a large insert. Autovacuum would give those back between the two archives.
  await write('VACUUM public.many');
  const [one, other] = [new StillArchive(site, PARTS), new StillArchive(site, PARTS, '2026-11-21T12:00:00Z')];
  const hashes = await Promise.all(
    [await one.make(), await other.make()].map(async ({ manifestKey }) =>
      (await manifestAt(site.store, manifestKey)).tables.flatMap(({ parts }) => parts.map(({ sha256 }) => sha256)),
    ),
  );
  expect(hashes[0]).toEqual(hashes[1]);
});

test('publishing again changes nothing, and another attempt at the slot finds the archive', async () => {
  const [first, second] = [new StillArchive(site), new StillArchive(site)];
  const { manifestKey } = await first.make();
  const before = await readObject(site.store, manifestKey);
  expect(await first.publish()).toMatchObject({ outcome: 'created' });
  expect(await second.make()).toMatchObject({ outcome: 'already-exists' });
  expect((await readObject(site.store, manifestKey)).equals(before)).toBe(true);
});

test('an archive whose parts are not all there is refused, naming them, until they are', async () => {
  const archive = new StillArchive(site, PARTS);
  const parts = await archive.parts(await archive.plan());
  const [missing = '', replaced = '', ...others] = parts;
  for (const part of [replaced, ...others]) await archive.copy(part);
  // As a call that the workflow had given up, and which ended after the one that replaced it.
  await replaceObject(site.store, replaced, await readObject(site.store, others[0] ?? ''));
  const refused = archive.publish();
  await expect(refused).rejects.toMatchObject({ code: 'archive_incomplete', retryable: false });
  await expect(refused).rejects.toThrow(`2 of ${parts.length} parts`);
  await expect(refused).rejects.toThrow(missing);
  await expect(refused).rejects.toThrow(replaced);
  expect(await listKeys(site.store)).not.toContainEqual(expect.stringContaining('manifest'));

  for (const part of parts) await archive.copy(part);
  expect(await archive.publish()).toMatchObject({ outcome: 'created' });
});

test.each([
  ['a row was inserted', `INSERT INTO public.many VALUES (-1, 'new')`],
  ['a row was updated', `UPDATE public.many SET text = 'new' WHERE id = 1`],
  ['a row was deleted', 'DELETE FROM public.many WHERE id = 1'],
  ['a table was emptied', 'TRUNCATE public.many'],
  ['a table was rewritten', 'CLUSTER public.many USING many_pkey'],
  ['a large object was written', `SELECT lo_put(70001, 0, 'changed')`],
  ['a table was altered', 'ALTER TABLE public.many ADD COLUMN added int'],
  ['a function was made', 'CREATE FUNCTION public.made() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$'],
])('an archive is refused when %s after its plan', async (_, sql) => {
  const archive = new StillArchive(site);
  for (const part of await archive.parts(await archive.plan())) await archive.copy(part);
  await write(sql);
  await archive.untilAlone();
  await expect(archive.publish()).rejects.toMatchObject({ code: 'database_changed', retryable: false });
});

test('what PostgreSQL does by itself is no change', async () => {
  const archive = new StillArchive(site);
  for (const part of await archive.parts(await archive.plan())) await archive.copy(part);
  for (const sql of ['VACUUM (FREEZE, ANALYZE)', 'CHECKPOINT', 'SELECT count(*) FROM public.many']) await write(sql);
  await archive.untilAlone();
  expect(await archive.publish()).toMatchObject({ outcome: 'created' });
});

test('a database that another session uses is no still one, neither at the plan nor at the end', async () => {
  const archive = new StillArchive(site);
  for (const part of await archive.parts(await archive.plan())) await archive.copy(part);
  await site.source.client();
  const message = expect.stringContaining('1 other sessions use the database') as string;
  await expect(archive.publish()).rejects.toMatchObject({ code: 'database_in_use', message });
  await expect(new StillArchive(site).planAtOnce()).rejects.toMatchObject({ code: 'database_in_use', message });
});

test('a plan or a record that no backup wrote is refused', async () => {
  const archive = new StillArchive(site);
  const plan = await archive.plan();
  const [first = '', second = '', ...others] = await archive.parts(plan);
  for (const part of [first, second, ...others]) await archive.copy(part);
  const record = (part: string) => part.replace('.copy.zst', '.json');
  // A genuine record of another part.
  await replaceObject(site.store, record(first), await readObject(site.store, record(second)));
  await expect(archive.publish()).rejects.toMatchObject({ code: 'archive_unauthenticated' });

  const key = planKey('main', archive.slot, plan.attempt);
  const text = (await readObject(site.store, key)).toString('utf8').replaceAll('many', 'pwnd');
  await replaceObject(site.store, key, text);
  await expect(archive.copy(second)).rejects.toMatchObject({ code: 'archive_unauthenticated' });
});

test('a part whose connection is lost may be copied again, and one that no plan lists is refused', async () => {
  const archive = new StillArchive(site);
  const [part = ''] = await archive.parts(await archive.plan());
  const end = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1';
  const ending: Promise<unknown>[] = [];
  const cut = setInterval(() => {
    ending.push(asAdministrator((client) => client.query(end, [site.source.name])));
  }, 5);
  const lost: unknown[] = [];
  while (lost.length === 0) {
    await archive.copy(part).catch((error: unknown) => lost.push(error));
    if (lost.length === 0) await replaceObject(site.store, part, 'again');
  }
  clearInterval(cut);
  await Promise.all(ending);
  expect(lost[0]).toMatchObject({ retryable: true });
  expect(await archive.copy(part)).toMatchObject({ outcome: 'copied' });
  await expect(archive.copy('archives/main/other.copy.zst')).rejects.toMatchObject({ code: 'invalid_request' });
});

test('what a stopped archive has left is swept an hour later by the next backup, and never published', async () => {
  const archive = new StillArchive(site);
  const plan = await archive.plan();
  for (const part of (await archive.parts(plan)).slice(1)) await archive.copy(part);
  const soon = () => new Date(Date.now() + HOUR_MS / 2);
  await site.backup('2026-11-21T12:00:00Z', { clock: soon, otherClocks: async () => [soon()] });
  const ofAttempt = async () => (await listKeys(site.store)).filter((key) => key.includes(plan.attempt));
  expect((await ofAttempt()).length).toBeGreaterThan(plan.parts);
  const later = () => new Date(Date.now() + 2 * HOUR_MS);
  await site.backup('2026-11-21T18:00:00Z', { clock: later, otherClocks: async () => [later()] });
  expect(await ofAttempt()).toEqual([]);
  await expect(archive.publish()).rejects.toMatchObject({ code: 'archive_not_found' });
});

test('a manifest names the bytes that are there', async () => {
  const { manifestKey } = await new StillArchive(site, PARTS).make();
  for (const { parts } of (await manifestAt(site.store, manifestKey)).tables) {
    for (const { key, sha256 } of parts) {
      expect(
        createHash('sha256')
          .update(await readObject(site.store, key))
          .digest('hex'),
      ).toBe(sha256);
    }
  }
});
