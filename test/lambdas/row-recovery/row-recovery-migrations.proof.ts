import { applyMigrations } from '../../../core/migrations/runner';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows } from '../../../lambdas/row-recovery/report';
import type { ReportedRow } from '../../../lambdas/row-recovery/report-format';
import type { CompleteManifest } from '../../../core/archive/manifest';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  manifestAt,
  noCache,
  readObject,
  replaceManifest,
} from '../../factories/archive';
import { rowReporting } from '../../factories/row-reports';
import { asAdministrator } from '../../support/database';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';

const TABLES = `
  CREATE TABLE billing.people (id int PRIMARY KEY, email text NOT NULL);
  CREATE TABLE billing.notes (id int PRIMARY KEY, person_id int REFERENCES billing.people ON DELETE CASCADE, body text)`;
const ROWS = `
  INSERT INTO billing.people SELECT n, 'p' || n || '@example.com' FROM generate_series(1, 50) n;
  INSERT INTO billing.notes SELECT n, n, 'note ' || n FROM generate_series(1, 50) n`;
/** Fills a column from another table, and relies on what it finds there. */
const MIGRATION = `
  DELETE FROM billing.people WHERE NOT EXISTS (SELECT FROM billing.notes n WHERE n.person_id = people.id);
  ALTER TABLE billing.notes ADD email text;
  UPDATE billing.notes n SET email = p.email FROM billing.people p WHERE p.id = n.person_id;
  ALTER TABLE billing.notes ALTER email SET NOT NULL`;

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('billing', TABLES);
});

afterEach(() => site.remove());

test('rows of an archive that is older than a migration are compared and merged as that migration would have left them', async () => {
  const client = await site.source.client();
  await client.query(ROWS);
  await site.backup('2026-11-21T06:00:00Z');
  // Who wrote an archive, such as the workflow for large ones, does not say that it is too large.
  const manifest = (await manifestAt(
    site.store,
    'archives/billing/20261121T060000Z/manifest.json',
  )) as CompleteManifest;
  const recoveryPoint = { snapshot: 'awsbackup:job-1', takenAt: '2026-11-21T06:00:00Z' };
  await replaceManifest(site.store, { ...manifest, recoveryPoint });
  await site.migrations.add('copy_email', MIGRATION);
  await applyMigrations(client, 'billing', site.migrations.directory);
  const before = await contentOf(site.source.name);
  await client.query('DELETE FROM billing.notes WHERE id = 7');
  const { connector } = site.source;
  const report = await reportRows(rowReporting(site), {
    archive: 'latest',
    tables: ['billing.notes', 'billing.people'],
  });
  expect(report).toMatchObject({ deleted: 1, changed: 0 });
  const [line = ''] = (await readObject(site.store, report.rowsKey)).toString('utf8').split('\n');
  expect((JSON.parse(line) as ReportedRow).archived).toMatchObject({ id: '7', email: 'p7@example.com' });
  await mergeRows(
    { connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
    { reportId: report.reportId, choose: 'deleted', confirm: 'billing' },
  );
  const after = await contentOf(site.source.name);
  expect(after['billing.notes']).toEqual(before['billing.notes']);
  expect(after['billing.people']).toEqual(before['billing.people']);
});

test('rows of an archive are compared as archived when a migration that it lacks fails, and refused when columns differ', async () => {
  const client = await site.source.client();
  await client.query(ROWS);
  await site.backup('2026-11-21T06:00:00Z');
  await client.query('DELETE FROM billing.notes WHERE id = 7');
  const failing = await site.migrations.add('divide_by_zero', 'SELECT 1 / 0;');
  const request = { archive: 'latest', tables: ['billing.notes'] };
  const failure = `Migration ${failing} failed and was rolled back; the ones before it stay applied. Correct it and apply again: division by zero`;
  await client.query(`UPDATE billing.notes SET body = 'since' WHERE id = 8`);
  const report = await reportRows(rowReporting(site), request);
  expect(report).toMatchObject({ deleted: 1, changed: 1, migrationFailed: failure });
  const lines = (await readObject(site.store, report.rowsKey)).toString('utf8').trim().split('\n');
  const changed = lines.map((line) => JSON.parse(line) as ReportedRow).find(({ kind }) => kind === 'changed');
  const merge = (choose: 'deleted' | string[]) =>
    mergeRows(
      { connector: site.source.connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
      { reportId: report.reportId, choose, confirm: 'billing' },
    );
  await expect(merge([changed?.id ?? ''])).rejects.toMatchObject({
    code: 'schema_differs',
    message: expect.stringContaining(`has the values of before a migration that failed on the archive (${failure})`),
  });
  expect(await merge('deleted')).toMatchObject({ inserted: 1, migrationFailed: failure });
  const { rows } = await client.query('SELECT id, body FROM billing.notes WHERE id IN (7, 8) ORDER BY id');
  expect(rows).toEqual([
    { id: 7, body: 'note 7' },
    { id: 8, body: 'since' },
  ]);

  await asAdministrator((live) => live.query('ALTER TABLE billing.notes ADD email text'), site.source.name);
  await expect(reportRows(rowReporting(site), request)).rejects.toMatchObject({
    code: 'schema_differs',
    message: `Table billing.notes has other columns than the archive, to which MIGRATION ${failing} could not be applied (${failure}): correct that migration and deploy it, then make a new report`,
  });
});
