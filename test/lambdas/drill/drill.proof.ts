import { scratchName } from '../../../core/restore/scratch-names';
import { listKeys, replaceObject } from '../../factories/archive';
import { clockFrom, createDrillSite, MINUTE_MS, START, type DrillSite } from '../../factories/drill';
import { asAdministrator } from '../../support/database';

let site: DrillSite;

beforeEach(async () => {
  site = await createDrillSite();
});
afterEach(() => site.remove());

test('a drill that misses its target is recorded as slow', async () => {
  const record = await site.runDrill({ targetMs: 1 });
  expect(record.outcome).toBe('slow');
  expect(record.targetPercent).toBeGreaterThan(100);
  expect(await site.recorded()).toMatchObject([{ outcome: 'slow' }]);
});

test('a live database that has outgrown its archive is projected to take longer than the drill did', async () => {
  await (
    await site.source.client()
  ).query(`INSERT INTO billing.customers SELECT 'cus_' || md5(n::text), now() FROM generate_series(1, 60000) n`);
  const record = await site.runDrill();
  expect(record.projectedMs).toBeGreaterThan(record.durationMs * 1.3);
});

test('a drill passes with a finding when a pending migration of the deployed code fails', async () => {
  await site.migrations.add('divide_by_zero', 'SELECT 1 / 0;');
  expect(await site.runDrill()).toMatchObject({
    outcome: 'passed',
    deviations: 1,
    schemaDifferences: 0,
    error: null,
  });
  expect(await site.recorded()).toMatchObject([
    {
      outcome: 'passed',
      error: '1 not as archived, 0 to compare: see docs/runbook.md#restore-drill-findings',
    },
  ]);
  expect(await site.scratchDatabases(START)).toEqual([]);
});

test('a drill of a damaged archive names the object, is recorded as failed and leaves no database', async () => {
  const part = (await listKeys(site.store)).find((key) => key.includes('billing.customers'))!;
  await replaceObject(site.store, part, 'not an archive');

  await expect(site.runDrill()).rejects.toMatchObject({ code: 'archive_damaged' });
  expect(await site.recorded()).toMatchObject([{ outcome: 'failed', error: expect.stringContaining(part) as string }]);
  expect(await site.scratchDatabases(START)).toEqual([]);
});

test('a drill drops the database of a killed one, records that as interrupted, and keeps other databases', async () => {
  const killed = scratchName('drill', site.source.name, new Date(START));
  const killedReport = scratchName('row_recovery', site.source.name, new Date(START));
  const operators = `drill_${site.source.name}_of_ours`;
  for (const name of [killed, killedReport, operators]) {
    await asAdministrator((client) => client.query(`CREATE DATABASE ${name}`));
  }
  try {
    await site.runDrill({ clock: clockFrom(START + MINUTE_MS) });
    // Younger than the longest run, so it may still be in use.
    expect(await site.scratchDatabases(START)).toEqual([killed]);

    await site.runDrill({ clock: clockFrom(START + 21 * MINUTE_MS) });

    expect(await site.scratchDatabases(START)).toEqual([]);
    expect(await site.recorded()).toMatchObject([
      { outcome: 'interrupted' },
      { outcome: 'passed' },
      { outcome: 'passed' },
    ]);
    const left = await asAdministrator((client) =>
      client.query('SELECT datname FROM pg_database WHERE datname = ANY ($1)', [[operators, killedReport]]),
    );
    expect(left.rows).toEqual([{ datname: operators }]);
  } finally {
    await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${operators}`));
  }
});
