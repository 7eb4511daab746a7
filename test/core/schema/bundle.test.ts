import { readdirSync } from 'node:fs';
import { bundleCaptureFunction, type CaptureFunction } from '../../factories/capture-function';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { captureOf } from '../../support/schema';

let bundled: CaptureFunction;
let database: TestDatabase;

beforeAll(async () => {
  bundled = bundleCaptureFunction();
  database = await createTestDatabase('billing');
});

afterAll(async () => {
  bundled.remove();
  await database.drop();
});

test('a bundled function captures the same schema as the sources do, in a process without them', async () => {
  const { before, after } = await captureOf(database);
  const run = await bundled.run(database.name);
  expect(run.bytes).toBe(before.length + after.length);
  expect(run.tables).toBeGreaterThan(5);
});

test('only a function that captures a schema carries pg_dump', () => {
  const files = bundled.bundles.map(({ name, folder }) => [name, readdirSync(folder).toSorted()]);
  expect(Object.fromEntries(files)).toEqual({
    capturing: ['index.js', 'pg-dump-worker.js', 'pg_dump.wasm'],
    plain: ['index.js'],
  });
});
