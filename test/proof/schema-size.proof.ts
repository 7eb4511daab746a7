import { bundleCaptureFunction, type CaptureFunction } from '../factories/capture-function';
import { createManyTables } from '../factories/odd-schema';
import { createTestDatabase, type TestDatabase } from '../support/database';

/** A function with 512 MB has room for the rows beside it. */
const MOST_MEMORY_MB = 300;

let bundled: CaptureFunction;
let database: TestDatabase;

beforeAll(() => {
  bundled = bundleCaptureFunction();
});

afterAll(() => bundled.remove());

beforeEach(async () => {
  database = await createTestDatabase('empty');
});

afterEach(() => database.drop());

// 5,000 of them: many-tables.proof.ts.
test.each([10, 500])('a function captures %i tables within its memory', async (count) => {
  await createManyTables(await database.client(), count);
  const run = await bundled.run(database.name);
  console.info(`${count} tables: ${Math.round(run.durationMs)} ms, ${Math.round(run.peakMb)} MB`);
  expect(run.tables).toBe(count);
  expect(run.peakMb).toBeLessThan(MOST_MEMORY_MB);
});
