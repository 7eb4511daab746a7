import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { createManyTables } from '../factories/odd-schema';
import { childRunning, peakMib } from '../support/process-memory';

const TABLES = 5_000;
/** As deployed: with less, the garbage collector would run more often and hide retained memory. */
const LIMITS = { memoryMib: 3538, timeoutSeconds: 250 };
const SLOT = '2026-11-21T06:00:00Z';

/** A drill is a restore, and takes as much. */
const REQUESTS = [
  ['backup', 300, { database: 'main', slot: SLOT }],
  ['restore', 300, { database: 'main', archive: SLOT, targetDatabase: 'many_tables_restored', afterwards: 'drop' }],
] as const;

const onLinux = process.platform === 'linux';
if (!onLinux) console.warn('SKIPPED: memory is read from /proc, which this system lacks');

(onLinux ? describe : describe.skip)(`a database of ${TABLES} tables`, () => {
  let functions: BundledFunctions;

  beforeAll(async () => {
    functions = await startBundledFunctions();
    await createManyTables(await functions.databases.main.client(), TABLES);
  });

  afterAll(() => functions.stop());

  test.each(REQUESTS)('%s takes less than %i MiB of memory', async (name, limitMib, request) => {
    const instance = functions.start(name, functions.environments[name], LIMITS);
    await instance.warm();
    const pid = childRunning('lambda-bootstrap');
    const startedAt = performance.now();
    const report = (await instance.invoke(request)) as { readonly tables: number };
    const seconds = (performance.now() - startedAt) / 1000;
    const mib = peakMib(pid);
    instance.stop();
    console.info(`${name} of ${TABLES} tables: ${seconds.toFixed(1)} s, ${mib} MiB of memory`);
    expect(report.tables).toBeGreaterThan(TABLES);
    expect(mib).toBeLessThan(limitMib);
  });
});
