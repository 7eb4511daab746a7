import { applyMigrations } from '../../../core/migrations/runner';
import { listSchemaChanges } from '../../../lambdas/inspect/schema-changes';
import { type ArchiveSite, createForeignSite, replaceManifest, manifestAt } from '../../factories/archive';
import { manifestKey } from '../../../core/archive/keys';
import { normaliseSlot } from '../../../core/archive/slot';
import { schemaFile } from '../../factories/odd-schema';
import { asAdministrator } from '../../support/database';

const JOURNAL = `CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO public.alembic_version VALUES ('a1')`;
const slot = (day: number) => normaliseSlot(`2026-11-${day}T02:00:00Z`);
const [FIRST, SECOND, THIRD, FOURTH] = [slot(18), slot(19), slot(20), slot(21)] as const;
let site: ArchiveSite;

beforeAll(async () => {
  site = await createForeignSite(`${schemaFile('gap-orders')}; ${JOURNAL}`);
  await applyMigrations(await site.source.client(), 'main', site.migrations.directory, { adopt: site.source.name });
});
afterAll(() => site.remove());

const change = (sql: string) => asAdministrator((client) => client.query(sql), site.source.name);
const compare = (request: { readonly from?: string; readonly to?: string } = {}) =>
  listSchemaChanges(site.store, { action: 'schema-changes', database: 'main', ...request });

test('a backup says whether the schema has changed since the one before, and whether a migration was recorded', async () => {
  expect(await site.backup(FIRST)).toMatchObject({ schemaChange: { state: 'first', since: null } });
  await expect(compare()).rejects.toMatchObject({ code: 'archive_not_found' });

  await change(`INSERT INTO public.customers (email) VALUES ('a@example.com')`);
  const unchanged = { state: 'none', since: FIRST, total: 0, objects: [] };
  expect(await site.backup(SECOND)).toMatchObject({ schemaChange: unchanged });
  expect(await compare()).toMatchObject({ from: { slot: FIRST }, to: { slot: SECOND }, total: 0, changes: [] });

  await change(`
    ALTER TABLE public.customers ADD phone text;
    COMMENT ON TABLE public.customers IS 'all of them';
    CREATE INDEX orders_by_total ON public.orders (total)`);
  expect(await site.backup(THIRD)).toMatchObject({
    schemaChange: {
      state: 'unrecorded',
      since: SECOND,
      total: 3,
      objects: [
        'changed: TABLE public.customers',
        'added: COMMENT of TABLE public.customers',
        'added: INDEX public.orders_by_total',
      ],
    },
  });
  expect(await site.backup(THIRD)).toMatchObject({ schemaChange: { state: 'not-compared' } });

  await change(`DROP INDEX public.orders_by_total; UPDATE public.alembic_version SET version_num = 'b2'`);
  expect(await site.backup(FOURTH)).toMatchObject({ schemaChange: { state: 'recorded', since: THIRD, total: 0 } });
});

test('two archives are compared object by object, with the version that each records', async () => {
  expect(await compare()).toEqual({
    action: 'schema-changes',
    database: 'main',
    from: { slot: THIRD, schemaVersion: 'alembic a1' },
    to: { slot: FOURTH, schemaVersion: 'alembic b2' },
    recorded: true,
    total: 1,
    changes: [
      {
        change: 'removed',
        object: 'INDEX public.orders_by_total',
        lines: ['-CREATE INDEX orders_by_total ON public.orders USING btree (total);'],
        linesLeftOut: 0,
      },
    ],
  });
  expect(await compare({ from: SECOND, to: THIRD })).toMatchObject({
    recorded: false,
    changes: [
      {
        change: 'changed',
        object: 'TABLE public.customers',
        lines: expect.arrayContaining(['+    phone text']) as unknown,
      },
      { change: 'added' },
      { change: 'added' },
    ],
  });
});

test('an order that is reversed, an archive that is not there and one without a schema are refused', async () => {
  await expect(compare({ from: THIRD, to: SECOND })).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(compare({ from: '2020-01-01T00:00:00Z' })).rejects.toMatchObject({ code: 'archive_not_found' });
  const manifest = await manifestAt(site.store, manifestKey('main', THIRD));
  await replaceManifest(site.store, { ...manifest, version: 1 } as never);
  await expect(compare({ from: THIRD })).rejects.toMatchObject({ code: 'archive_unsupported' });
});

test('a backup succeeds although the archive before it is no longer authentic, and says that it was not compared', async () => {
  const manifest = await manifestAt(site.store, manifestKey('main', FOURTH));
  await replaceManifest(
    { ...site.store, signingKey: { ...site.store.signingKey, sign: async () => Buffer.alloc(70) } },
    manifest,
  );
  expect(await site.backup('2026-11-22T02:00:00Z')).toMatchObject({
    outcome: 'created',
    schemaChange: { state: 'not-compared', since: null },
  });
});
