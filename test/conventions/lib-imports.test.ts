import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../..');

function sources(folder: string): [string, string][] {
  return readdirSync(path.join(ROOT, folder), { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [path.join(folder, file), readFileSync(path.join(ROOT, folder, file), 'utf8')]);
}

function importsOf([file, source]: [string, string]): string[] {
  return [...source.matchAll(/(?:from|import|require)\s*\(?\s*'(\.[^']+)'/g)].map(([, target]) =>
    path.relative(ROOT, path.resolve(ROOT, path.dirname(file), target ?? '')),
  );
}

test.each(sources('lib'))('%s imports nothing but contracts from lambdas', (file, source) => {
  const foreign = importsOf([file, source]).filter((target) => !target.startsWith('lib'));
  expect(foreign.filter((target) => !/^lambdas\/[\w-]+\/contract$/.test(target))).toEqual([]);
});

test.each(sources('lambdas'))('%s imports nothing from lib or local', (file, source) => {
  expect(importsOf([file, source]).filter((target) => /^(lib|local)\b/.test(target))).toEqual([]);
});

test.each(sources('lambdas').filter(([file]) => file.endsWith('contract.ts')))(
  '%s imports contracts only',
  (file, source) => {
    const packages = [...source.matchAll(/from '([^.'][^']*)'/g)].map(([, name]) => name);
    expect(packages).toEqual([]);
    expect(importsOf([file, source]).filter((target) => !target.endsWith('/contract'))).toEqual([]);
  },
);

test('each function has a construct of the same stem', () => {
  const functions = sources('lambdas')
    .map(([file]) => /^lambdas\/([\w-]+)\/contract\.ts$/.exec(file)?.[1])
    .filter((stem) => stem !== undefined && stem !== 'shared');
  const constructs = sources('lib').map(([file]) => file);
  for (const stem of functions) expect(constructs).toContain(`lib/operations/${stem}.ts`);
});

test.each([...sources('lib'), ...sources('bin')])('%s can be read in one sitting', (_, source) => {
  expect(source.split('\n').length).toBeLessThanOrEqual(300);
});

// `import { z }` brings its messages in fifty languages along: a third of a megabyte that each function reads at its start.
test.each(sources('lambdas'))('%s imports the whole of zod by its names', (_, source) => {
  const imports = source.match(/^.*from 'zod.*$/gm) ?? [];
  expect(imports.filter((line) => !/^import (?:type )?\* as z from 'zod';$/.test(line))).toEqual([]);
});
