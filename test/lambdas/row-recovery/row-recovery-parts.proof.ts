import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { Client } from 'pg';
import { ROW_RECOVERY_PREFIX } from '../../../core/archive/contract';
import { plantTombstones } from '../../../core/erasure/billing';
import { type RowRecoveryReport, rowRecoveryRequest } from '../../../lambdas/row-recovery/contract';
import { mergeRows } from '../../../lambdas/row-recovery/merge';
import { reportRows, type ReportDependencies } from '../../../lambdas/row-recovery/report';
import type { ReportedRow } from '../../../lambdas/row-recovery/report-format';
import {
  type ArchiveSite,
  contentOf,
  createArchiveSite,
  listKeys,
  manifestAt,
  noCache,
  readObject,
  replaceManifest,
  replaceObject,
} from '../../factories/archive';
import { plantedPerson } from '../../factories/planted-person';
import { rowReporting } from '../../factories/row-reports';
import { asAdministrator } from '../../support/database';
import { erasuresOf, noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';

const SLOT = '2026-11-21T06:00:00Z';
const TABLES = ['app.orders', 'app.kinds'];
const EXTRAS = `
  CREATE SCHEMA app;
  CREATE TABLE app.kinds (id int PRIMARY KEY, name text);
  CREATE TABLE app.orders (id int PRIMARY KEY, kind int REFERENCES app.kinds, note text);
  CREATE TABLE app.others (id int PRIMARY KEY, note text);`;
const ROWS = `
  INSERT INTO app.kinds VALUES (1, 'one'), (2, 'two');
  INSERT INTO app.orders SELECT n, 1 + n % 2, repeat('x', 200) || n FROM generate_series(1, 900) n;
  INSERT INTO app.others SELECT n, repeat('y', 200) || n FROM generate_series(1, 900) n;
  SELECT lo_from_bytea(0, repeat('z', 300000)::bytea);`;
const LOSS = `
  DELETE FROM app.orders WHERE id % 100 = 0;
  UPDATE app.orders SET note = 'other' WHERE id IN (3, 899);
  UPDATE app.kinds SET name = 'zwei' WHERE id = 2;`;

let site: ArchiveSite;
let client: Client;

beforeAll(async () => {
  site = await createArchiveSite('billing', EXTRAS);
  client = await site.source.client();
  await client.query(ROWS);
  await site.backup(SLOT, { partBytes: 64 * 1024 });
  await client.query(LOSS);
});

afterAll(() => site.remove());

/** A ledger with one person. */
const ERASED = erasuresOf(plantedPerson('erased'));

/** Tables above a byte are read part by part, and each call has the time for one part. */
const IN_PARTS = { wholeBytes: 1, pause: AbortSignal.abort() };

const report = (
  overrides: Partial<ReportDependencies> = {},
  request: Partial<Parameters<typeof reportRows>[1]> = {},
): Promise<RowRecoveryReport> =>
  reportRows({ ...rowReporting(site), ...overrides }, { archive: SLOT, tables: TABLES, ...request });

async function inParts(request: Partial<Parameters<typeof reportRows>[1]> = {}): Promise<RowRecoveryReport[]> {
  const reports = [await report(IN_PARTS, request)];
  for (let last = reports[0]; last && !last.complete; last = reports.at(-1)) {
    reports.push(await report(IN_PARTS, { ...request, continues: last.reportId }));
  }
  return reports;
}

const lastOf = (reports: readonly RowRecoveryReport[]) => reports.at(-1) as RowRecoveryReport;

async function rowsOf({ rowsKey }: RowRecoveryReport): Promise<ReportedRow[]> {
  const text = (await readObject(site.store, rowsKey)).toString('utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as ReportedRow);
}

const byId = (rows: readonly ReportedRow[]) => rows.toSorted((one, other) => one.id.localeCompare(other.id));

async function partsOf(table: string): Promise<string[]> {
  const { tables } = await manifestAt(site.store, `archives/billing/20261121T060000Z/manifest.json`);
  return tables
    .filter(({ schema, name }) => `${schema}.${name}` === table)
    .flatMap(({ parts }) => parts.map(({ key }) => key));
}

/** What a report stores, of every report. */
const storedReports = async () => (await listKeys(site.store)).filter((key) => key.startsWith(ROW_RECOVERY_PREFIX));

const scratch = async () =>
  (
    await asAdministrator((administrator) =>
      administrator.query(`SELECT FROM pg_database WHERE starts_with(datname, 'row_recovery_${site.source.name}')`),
    )
  ).rowCount;

test('rows of large tables are compared part by part over many calls, and found as by one call', async () => {
  const reads: string[] = [];
  const send = site.store.s3.send.bind(site.store.s3) as (...given: unknown[]) => Promise<unknown>;
  const watched = jest.spyOn(site.store.s3, 'send').mockImplementation(((command: unknown, ...rest: unknown[]) => {
    if (command instanceof GetObjectCommand) reads.push(String(command.input.Key));
    return send(command, ...rest);
  }) as never);
  const reports = await inParts();
  watched.mockRestore();

  const wanted = [...(await partsOf('app.kinds')), ...(await partsOf('app.orders'))];
  expect(wanted.length).toBeGreaterThan(3);
  expect(reports).toHaveLength(wanted.length);
  // Each part of these tables once, and no other rows.
  expect(reads.filter((key) => key.endsWith('.copy.zst')).toSorted()).toEqual(wanted.toSorted());
  const whole = await report();
  expect(whole).toMatchObject({ deleted: 9, changed: 3, complete: true });
  const { rowsKey: _rowsKey, reportId: _reportId, createdAt: _createdAt, firstIds, ...last } = lastOf(reports);
  expect(whole).toMatchObject(last);
  expect(firstIds.toSorted()).toEqual(whole.firstIds.toSorted());
  expect(byId(await rowsOf(lastOf(reports)))).toEqual(byId(await rowsOf(whole)));
  expect(await scratch()).toBe(0);
});

test('a call that is repeated finds the same rows, and one that has time compares all that is left', async () => {
  const { reportId: continues } = await report(IN_PARTS);
  const [once, again] = [await report(IN_PARTS, { continues }), await report(IN_PARTS, { continues })];
  expect(await rowsOf(once)).toEqual(await rowsOf(again));
  const rest = await report({ wholeBytes: 1 }, { continues });
  expect(rest).toMatchObject({ complete: true, deleted: 9, changed: 3 });
  expect(await rowsOf(rest)).toHaveLength(12);
});

test('conditions hold in every part, and what was found in all of them is merged back', async () => {
  const found = lastOf(await inParts({ tables: ['app.orders'], where: [{ column: 'id', operator: '>', value: 650 }] }));
  expect((await rowsOf(found)).map(({ id }) => id)).toEqual([
    'app.orders:700',
    'app.orders:800',
    'app.orders:899',
    'app.orders:900',
  ]);
  const merged = await mergeRows(
    { connector: site.source.connector, store: site.store, log: silentLog, cache: noCache, erasures: noErasures },
    { reportId: found.reportId, choose: 'deleted', confirm: 'billing' },
  );
  expect(merged).toMatchObject({ inserted: 3, conflicts: [] });
  await client.query('DELETE FROM app.orders WHERE id % 100 = 0');
});

describe('a report is not continued', () => {
  let continues: string;
  beforeAll(async () => {
    ({ reportId: continues } = await report(IN_PARTS));
  });

  test.each([
    ['with other tables', { tables: ['app.orders'] }, 'is of other tables or columns: give app.kinds, app.orders'],
    ['with conditions', { where: [{ column: 'id', operator: '>', value: 1 }] }, 'has other conditions: give the same'],
  ] as const)('%s', async (_, other, reason) => {
    await expect(report(IN_PARTS, { ...other, continues })).rejects.toThrow(`continues: report ${continues} ${reason}`);
  });

  test('once it is complete, or when there is none', async () => {
    const { reportId } = await report({ wholeBytes: 1 }, { continues });
    await expect(report(IN_PARTS, { continues: reportId })).rejects.toThrow(
      'is complete: there is nothing to continue',
    );
    const none = report(IN_PARTS, { continues: '20200101T000000Z-00000000' });
    await expect(none).rejects.toMatchObject({ code: 'report_not_found' });
  });

  test('with the latest archive, which may be a newer one', () => {
    const latest = { action: 'report', database: 'billing', archive: 'latest', tables: TABLES, continues };
    expect(rowRecoveryRequest.safeParse(latest).error?.issues).toMatchObject([
      { path: ['continues'], message: expect.stringMatching(/^only together with the time of an archive/) as string },
    ]);
  });

  test('once a person was erased, whose rows it may have, nor when it was made while one was', async () => {
    const erasing = { ...IN_PARTS, erasures: { ...noErasures, ledger: { read: async () => ERASED } } };
    const during = await report(erasing);
    await plantTombstones(client, ERASED);
    for (const reportId of [continues, during.reportId]) {
      await expect(report(erasing, { continues: reportId })).rejects.toThrow(
        `continues: report ${reportId} was made before an erasure had ended: begin again once it has`,
      );
    }
    const after = await report(erasing);
    expect(await report(erasing, { continues: after.reportId })).toMatchObject({ complete: false, changed: 2 });
  });

  test('when its rows alone take longer than a call', async () => {
    const attempt = report({ ...IN_PARTS, stop: AbortSignal.abort() }, { continues });
    await expect(attempt).rejects.toMatchObject({
      code: 'comparison_too_long',
      message: `Report ${continues} has too many rows to be continued: merge what it has, then make a report of fewer rows by a condition`,
    });
  });

  test('when its rows are not what was written', async () => {
    const { rowsKey, reportId, complete } = await report({ ...IN_PARTS }, { continues });
    expect(complete).toBe(false);
    await replaceObject(site.store, rowsKey, Buffer.from(''));
    await expect(report(IN_PARTS, { continues: reportId })).rejects.toMatchObject({ code: 'report_damaged' });
  });
});

test('an erasure that begins while rows are compared ends the call, which stores nothing', async () => {
  const before = await storedReports();
  const read = jest
    .fn()
    .mockResolvedValueOnce(await noErasures.ledger.read())
    .mockResolvedValue(ERASED);
  const attempt = report({ wholeBytes: 1, erasures: { ...noErasures, ledger: { read } } });
  await expect(attempt).rejects.toMatchObject({ code: 'erased_meanwhile', retryable: true });
  expect(await storedReports()).toEqual(before);
  expect(await report({ wholeBytes: 1, erasures: { ...noErasures, ledger: { read } } })).toMatchObject({ deleted: 9 });
});

test('a part that takes longer than a call ends with the way around, and leaves nothing', async () => {
  const attempt = report({ wholeBytes: 1, stop: AbortSignal.abort() });
  await expect(attempt).rejects.toMatchObject({ code: 'comparison_too_long' });
  await expect(attempt).rejects.toThrow(/app\.kinds takes longer than a call: restore the archive into a database/);
  expect(await scratch()).toBe(0);
});

test('a part that was damaged is named', async () => {
  const keys = await partsOf('app.orders');
  const key = keys[2] ?? '';
  const body = await readObject(site.store, key);
  body[100] = (body[100] ?? 0) ^ 255;
  await replaceObject(site.store, key, body);
  const [damaged] = await Promise.allSettled([report({ wholeBytes: 1 })]);
  expect(damaged).toMatchObject({ status: 'rejected', reason: { code: 'archive_damaged' } });
});

test('a large archive that is older than the code is refused before it is read, with the two commands that compare it', async () => {
  await site.migrations.add('create_later', 'CREATE TABLE app.later (id int)');
  const before = await contentOf(site.source.name);
  const manifest = await manifestAt(site.store, `archives/billing/20261121T060000Z/manifest.json`);
  // As large as one call restores: erasing people again from its rows is too much.
  const erasing = { limitBytes: manifest.bytes, erasures: { ...noErasures, ledger: { read: async () => ERASED } } };
  const refused = async (limited: Partial<ReportDependencies>) => {
    await expect(report(limited)).rejects.toMatchObject({
      code: 'archive_too_large',
      message: expect.stringMatching(
        /is older than the code.+ GiB and [\d,]+ rows are too .+ops restore billing --archive 2026-11-21T06:00:00Z --into <name>.+--from-instance/,
      ) as string,
    });
  };
  await refused({ limitBytes: 1000 });
  await refused(erasing);
  // As an archive of the former version, which has no large objects.
  const sum = (of: 'rows' | 'bytes' | 'compressedBytes') => manifest.tables.reduce((all, one) => all + one[of], 0);
  const counts = { rows: sum('rows'), bytes: sum('bytes'), compressedBytes: sum('compressedBytes') };
  await replaceManifest(site.store, { ...manifest, ...counts, version: 1 });
  await refused({ limitBytes: 1000 });
  expect(await contentOf(site.source.name)).toEqual(before);
});
