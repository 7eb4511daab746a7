import { drillKey } from '../../../lambdas/drill/record';
import { readObject } from '../../factories/archive';
import { createDrillSite, MINUTE_MS, SLOT, START, type DrillSite } from '../../factories/drill';

let site: DrillSite;

beforeEach(async () => {
  site = await createDrillSite();
});
afterEach(() => site.remove());

test('a drill restores the newest archive, measures it against the target, records it and leaves no database', async () => {
  const record = await site.runDrill();

  expect(record).toMatchObject({
    database: 'billing',
    outcome: 'passed',
    slot: SLOT,
    targetMs: 60 * MINUTE_MS,
    deviations: 0,
    schemaDifferences: 0,
    error: null,
  });
  expect(record.durationMs).toBeGreaterThan(0);
  // The same data, so the projection is about the duration of the drill.
  expect(record.projectedMs! / record.durationMs).toBeCloseTo(record.liveBytes! / record.restoredBytes!, 1);
  expect(record.targetPercent).toBeLessThan(100);
  expect(await site.scratchDatabases(START)).toEqual([]);
  expect(JSON.parse((await readObject(site.store, drillKey('billing', record.startedAt))).toString())).toEqual(record);
  expect(await site.recorded()).toEqual([
    { outcome: 'passed', row_count: record.rows, target_ms: 60 * MINUTE_MS, error: null },
  ]);
});
