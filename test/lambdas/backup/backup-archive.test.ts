import { createHash } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { archiveDatabase } from '../../../lambdas/backup/archive-database';
import { createConnector } from '../../../core/database/connector';
import { type ArchiveSite, createArchiveSite, listKeys, manifestAt, readObject } from '../../factories/archive';
import { silentLog } from '../../support/log';
import { clusterSecrets, clusterTarget, createTestDatabase } from '../../support/database';

const SLOT = '2026-11-21T06:00:00Z';

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite(
    'billing',
    'CREATE TABLE billing.notes (id text PRIMARY KEY, at timestamptz NOT NULL)',
  );
});

afterEach(async () => {
  await site.remove();
});

test('the manifest describes each object, whose text PostgreSQL can read without this platform', async () => {
  const client = await site.source.client();
  await client.query(
    `INSERT INTO billing.notes VALUES ('n_1', '2026-11-20T10:00:00Z'), ('n_2', '2026-11-20T11:00:00Z')`,
  );

  const report = await site.backup('2026-11-21T07:00:00.500+01:00');

  expect(report).toMatchObject({ database: 'billing', slot: SLOT, outcome: 'created' });
  expect(report.manifestKey).toBe('archives/billing/20261121T060000Z/manifest.json');
  const manifest = await manifestAt(site.store, report.manifestKey);
  expect(manifest.server.version).toMatch(/^17\./);
  expect(manifest.migrations.map((migration) => migration.name)).toContain('0002_create_billing');
  const notes = manifest.tables.find((table) => table.name === 'notes');
  expect(notes).toMatchObject({ schema: 'billing', columns: ['id', 'at'], rows: 2 });
  const [part] = notes?.parts ?? [];
  const object = await readObject(site.store, part?.key ?? '');
  expect(createHash('sha256').update(object).digest('hex')).toBe(part?.sha256);
  const text = zstdDecompressSync(object).toString('utf8');
  expect(text).toBe('n_1\t2026-11-20 10:00:00+00\nn_2\t2026-11-20 11:00:00+00\n');
  expect(text).toHaveLength(part?.bytes ?? 0);
});

test('a second backup for the same slot does nothing', async () => {
  const first = await site.backup(SLOT);
  const keys = await listKeys(site.store);
  const second = await site.backup('2026-11-21T06:00:00.000Z');
  expect(second).toMatchObject({ outcome: 'already-exists', rows: first.rows, manifestKey: first.manifestKey });
  expect(await listKeys(site.store)).toEqual(keys);
});

test('a backup refuses the main database in the place of billing, and a database that was never migrated', async () => {
  const main = await createArchiveSite('main');
  const dependencies = { store: site.store, retentionDays: 90, log: silentLog, clock: () => new Date() };
  const mistaken = createConnector(clusterTarget(main.source.name, 'billing'), clusterSecrets(), 'test');
  await expect(archiveDatabase({ ...dependencies, connector: mistaken }, SLOT)).rejects.toMatchObject({
    code: 'wrong_database',
  });
  const empty = await createTestDatabase('empty');
  await expect(archiveDatabase({ ...dependencies, connector: empty.connector }, SLOT)).rejects.toMatchObject({
    code: 'wrong_database',
  });
  expect(await listKeys(site.store)).toEqual([]);
  await Promise.all([main.remove(), empty.drop()]);
});
