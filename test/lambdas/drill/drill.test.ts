import { runDrill, type DrillDependencies } from '../../../lambdas/drill/core';
import { drillKey } from '../../../lambdas/drill/record';
import { scratchName } from '../../../core/restore/scratch-names';
import { type ArchiveSite, createArchiveSite, listKeys, readObject, replaceObject } from '../../factories/archive';
import { silentLog } from '../../support/log';
import { PG_DUMP_WORKER } from '../../support/schema';
import { asAdministrator } from '../../support/database';

const SLOT = '2026-11-21T06:00:00Z';
const MINUTE_MS = 60_000;
const START = Date.parse('2026-11-21T06:30:00Z');

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('billing');
  await (await site.source.client()).query(`INSERT INTO billing.customers VALUES ('cus_1', now())`);
  await site.backup(SLOT);
});
afterEach(() => site.remove());

/** A clock that starts at another moment. */
function clockFrom(moment: number): () => Date {
  const start = Date.now();
  return () => new Date(moment + Date.now() - start);
}

function drill(overrides: Partial<DrillDependencies> = {}): ReturnType<typeof runDrill> {
  return runDrill({
    connector: site.source.connector,
    store: site.store,
    migrationsDirectory: site.migrations.directory,
    pgDumpWorker: PG_DUMP_WORKER,
    targetMs: 60 * MINUTE_MS,
    log: silentLog,
    clock: clockFrom(START),
    ...overrides,
  });
}

async function scratchDatabases(at: number): Promise<string[]> {
  const found = await asAdministrator((client) =>
    client.query<{ datname: string }>('SELECT datname FROM pg_database WHERE datname = $1', [
      scratchName('drill', site.source.name, new Date(at)),
    ]),
  );
  return found.rows.map((row) => row.datname);
}

async function recorded() {
  const client = await site.source.client();
  return (
    await client.query(
      'SELECT outcome, row_count::int, target_ms::int, error FROM operations.drills ORDER BY started_at',
    )
  ).rows;
}

test('a drill restores the newest archive, measures it against the target, records it and leaves no database', async () => {
  const record = await drill();

  expect(record).toMatchObject({
    database: 'billing',
    outcome: 'passed',
    slot: SLOT,
    targetMs: 60 * MINUTE_MS,
    error: null,
  });
  expect(record.durationMs).toBeGreaterThan(0);
  // The same data, so the projection is about the duration of the drill.
  expect(record.projectedMs! / record.durationMs).toBeCloseTo(record.liveBytes! / record.restoredBytes!, 1);
  expect(record.targetPercent).toBeLessThan(100);
  expect(await scratchDatabases(START)).toEqual([]);
  expect(JSON.parse((await readObject(site.store, drillKey('billing', record.startedAt))).toString())).toEqual(record);
  expect(await recorded()).toEqual([
    { outcome: 'passed', row_count: record.rows, target_ms: 60 * MINUTE_MS, error: null },
  ]);
});

test('a drill that misses its target is recorded as slow', async () => {
  const record = await drill({ targetMs: 1 });
  expect(record.outcome).toBe('slow');
  expect(record.targetPercent).toBeGreaterThan(100);
  expect(await recorded()).toMatchObject([{ outcome: 'slow' }]);
});

test('a live database that has outgrown its archive is projected to take longer than the drill did', async () => {
  await (
    await site.source.client()
  ).query(`INSERT INTO billing.customers SELECT 'cus_' || md5(n::text), now() FROM generate_series(1, 60000) n`);
  const record = await drill();
  expect(record.projectedMs).toBeGreaterThan(record.durationMs * 1.3);
});

test('a drill of a damaged archive names the object, is recorded as failed and leaves no database', async () => {
  const part = (await listKeys(site.store)).find((key) => key.includes('billing.customers'))!;
  await replaceObject(site.store, part, 'not an archive');

  await expect(drill()).rejects.toMatchObject({ code: 'archive_damaged' });
  expect(await recorded()).toMatchObject([{ outcome: 'failed', error: expect.stringContaining(part) as string }]);
  expect(await scratchDatabases(START)).toEqual([]);
});

test('a drill drops the database of a killed one, records that as interrupted, and keeps other databases', async () => {
  const killed = scratchName('drill', site.source.name, new Date(START));
  const killedReport = scratchName('row_recovery', site.source.name, new Date(START));
  const operators = `drill_${site.source.name}_of_ours`;
  for (const name of [killed, killedReport, operators]) {
    await asAdministrator((client) => client.query(`CREATE DATABASE ${name}`));
  }
  try {
    await drill({ clock: clockFrom(START + MINUTE_MS) });
    // Younger than the longest run, so it may still be in use.
    expect(await scratchDatabases(START)).toEqual([killed]);

    await drill({ clock: clockFrom(START + 21 * MINUTE_MS) });

    expect(await scratchDatabases(START)).toEqual([]);
    expect(await recorded()).toMatchObject([{ outcome: 'interrupted' }, { outcome: 'passed' }, { outcome: 'passed' }]);
    const left = await asAdministrator((client) =>
      client.query('SELECT datname FROM pg_database WHERE datname = ANY ($1)', [[operators, killedReport]]),
    );
    expect(left.rows).toEqual([{ datname: operators }]);
  } finally {
    await asAdministrator((client) => client.query(`DROP DATABASE IF EXISTS ${operators}`));
  }
});
