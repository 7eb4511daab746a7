import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleFunctions } from '../../../lib/operations/bundles';

const load = createRequire(__filename);
let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'bundles-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, source: string): void {
  mkdirSync(path.join(root, 'lambdas', name), { recursive: true });
  writeFileSync(path.join(root, 'lambdas', name, 'handler.ts'), source);
}

const bundle = (outdir = 'out') =>
  bundleFunctions({ lambdasFolder: path.join(root, 'lambdas'), outdir: path.join(root, outdir) });

test('each folder with a handler becomes a bundle that loads and answers', () => {
  write('alpha', `export const handler = async (event: { n: number }) => event.n + 1;`);
  write('beta', `export const handler = async () => import.meta.url.startsWith('file:');`);
  mkdirSync(path.join(root, 'lambdas', 'shared'));
  const bundles = bundle();
  expect(bundles.map(({ name }) => name)).toEqual(['alpha', 'beta']);
  const [alpha, beta] = bundles.map(
    ({ folder }) => load(path.join(folder, 'index.js')) as { handler: (event: object) => Promise<unknown> },
  );
  return Promise.all([
    expect(alpha?.handler({ n: 1 })).resolves.toBe(2),
    expect(beta?.handler({})).resolves.toBe(true),
  ]);
});

test('a handler can be replaced, as a layer of OpenTelemetry does to trace it', () => {
  write('alpha', `export const handler = async () => 1;`);
  const [alpha] = bundle();
  const loaded = load(path.join(alpha?.folder ?? '', 'index.js')) as { handler: () => Promise<number> };
  const { handler } = loaded;
  loaded.handler = async () => (await handler()) + 1;
  return expect(loaded.handler()).resolves.toBe(2);
});

test('only the bundles of functions that need them contain the SQL migrations of both databases, and of adopted ones', () => {
  for (const name of ['drill', 'migrate', 'restore', 'row-recovery', 'verify', 'webhook'])
    write(name, `export const handler = async () => undefined;`);
  const files = Object.fromEntries(
    bundle().map(({ name, folder }) => [name, readdirSync(folder, { recursive: true }).map(String).toSorted()]),
  );
  const expected = ['billing', 'main', 'adopted'].flatMap((database) =>
    readdirSync(path.join(__dirname, '../../../migrations', database))
      .filter((file) => file.endsWith('.sql'))
      .map((file) => path.join('migrations', database, file)),
  );
  const sql = (name: string) => files[name]?.filter((file) => file.endsWith('.sql'));
  expect(expected.length).toBeGreaterThan(1);
  for (const name of ['drill', 'migrate', 'restore', 'row-recovery', 'verify'])
    expect(sql(name)).toEqual(expected.toSorted());
  expect(files.webhook).toEqual(['index.js']);
});

test('the same sources give the same bytes, wherever they are written', () => {
  write(
    'alpha',
    `import { z } from '${path.join(__dirname, '../../../node_modules/zod')}'; export const handler = () => z.string();`,
  );
  const [first] = bundle('first');
  const [second] = bundle('second');
  expect(first?.bytes).toBeGreaterThan(0);
  expect(readFileSync(path.join(first?.folder ?? '', 'index.js'))).toEqual(
    readFileSync(path.join(second?.folder ?? '', 'index.js')),
  );
});

test('bundling deletes the bundle of a removed function', () => {
  write('alpha', `export const handler = async () => 1;`);
  write('beta', `export const handler = async () => 1;`);
  bundle();
  rmSync(path.join(root, 'lambdas', 'beta'), { recursive: true });
  bundle();
  expect(readdirSync(path.join(root, 'out'))).toEqual(['alpha']);
});

test('the migration library loads without a compiler, and refuses migrations that would need one', () => {
  write(
    'migrate',
    `import { createJiti } from 'jiti'; export const handler = (file: string) => createJiti().import(file);`,
  );
  const [migrate] = bundle();
  const { handler } = load(path.join(migrate?.folder ?? '', 'index.js')) as { handler: (file: string) => unknown };
  expect(() => handler('0001_create.js')).toThrow(
    'Migration 0001_create.js is not SQL: only .sql migrations are bundled',
  );
  expect(readFileSync(path.join(migrate?.folder ?? '', 'index.js')).length).toBeLessThan(5_000);
});

test('a handler that does not compile fails the build', () => {
  write('alpha', `export const handler = (`);
  expect(() => bundle()).toThrow(/handler\.ts:1/);
});
