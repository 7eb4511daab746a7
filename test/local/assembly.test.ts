import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { ASSEMBLY_INPUTS } from '../../local/platform/assembly';
import { contentHash } from '../../local/runtime/content-hash';
import { fromCache } from '../../local/runtime/folder-cache';

const ROOT = path.resolve(__dirname, '../..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assembly-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (file: string, text: string): void => {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), text);
};

function inputsOf(...entryPoints: string[]): string[] {
  const { metafile } = buildSync({
    absWorkingDir: ROOT,
    entryPoints,
    outdir: folder,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    packages: 'external',
  });
  return Object.keys(metafile.inputs);
}

test('no file of the bundled npm start looks for others beside itself, but for the one that finds the checkout', () => {
  const files = inputsOf('bin/local.ts');
  const asking = files.filter((file) => readFileSync(path.join(ROOT, file), 'utf8').includes('__dirname'));
  expect(files.length).toBeGreaterThan(50);
  expect(asking).toEqual(['local/runtime/checkout.ts']);
});

test('every source of the assembly and of its bundles is an input of the cache', () => {
  const handlers = readdirSync(path.join(ROOT, 'lambdas')).map((name) => `lambdas/${name}/handler.ts`);
  const sources = inputsOf('local/platform/synthesise.ts', 'core/schema/dump/pg-dump-worker.mts', ...handlers);
  const isInput = (file: string) => ASSEMBLY_INPUTS.some((input) => file === input || file.startsWith(`${input}/`));

  expect(sources.length).toBeGreaterThan(handlers.length);
  expect(sources.filter((file) => !isInput(file))).toEqual([]);
  expect(ASSEMBLY_INPUTS).toEqual(
    expect.arrayContaining(['cdk.json', 'migrations', 'node_modules/.package-lock.json']),
  );
});

test('the hash of a checkout changes with each byte and name, and with neither a time nor an order', () => {
  write('a/one.ts', '1');
  write('a/deep/two.ts', '2');
  write('lock.json', '{}');
  const hash = (further: string[] = []) => contentHash(folder, ['a', 'lock.json', 'absent.json'], further);
  const before = hash();

  utimesSync(path.join(folder, 'a/one.ts'), 1, 1);
  write('b/elsewhere.ts', '');
  expect(hash()).toBe(before);

  const changes: [string, () => void][] = [
    ['a changed file', () => write('a/deep/two.ts', '3')],
    ['an added file', () => write('a/deep/three.ts', '')],
    ['a renamed file', () => renameSync(path.join(folder, 'a/deep/two.ts'), path.join(folder, 'a/deep/2.ts'))],
    ['a removed file', () => rmSync(path.join(folder, 'a/one.ts'))],
    ['a file that was absent', () => write('absent.json', '')],
  ];
  const seen = new Map([[before, 'unchanged']]);
  for (const [what, change] of changes) {
    change();
    expect([what, seen.get(hash())]).toEqual([what, undefined]);
    seen.set(hash(), what);
  }
  expect(seen.get(hash(['v24.1.0']))).toBeUndefined();
});

describe('a cached folder', () => {
  const cache = () => path.join(folder, 'cache');
  const take = (key: string, target: string, make: (into: string) => void) =>
    fromCache({
      cache: cache(),
      key,
      target: path.join(folder, target),
      async make(into) {
        mkdirSync(into);
        make(into);
      },
    });
  const say = (text: string) => (into: string) => writeFileSync(path.join(into, 'file'), text);
  const content = (target: string) => readFileSync(path.join(folder, target, 'file'), 'utf8');
  const never = () => {
    throw new Error('made again');
  };

  test('is made once for a key, and again for another', async () => {
    expect([await take('one', 'first', say('1')), await take('one', 'second', never)]).toEqual([false, true]);
    expect(await take('two', 'third', say('2'))).toBe(false);
    expect(['first', 'second', 'third'].map(content)).toEqual(['1', '1', '2']);
  });

  test('that was not finished is not used', async () => {
    const half = (into: string) => {
      say('half')(into);
      throw new Error('the disk is full');
    };
    await expect(take('one', 'first', half)).rejects.toThrow('the disk is full');
    expect(readdirSync(cache())).toEqual([]);
    expect(await take('one', 'second', say('whole'))).toBe(false);
    expect(content('second')).toBe('whole');
  });

  test('is a copy, which a change of the cache does not reach', async () => {
    await take('one', 'first', say('1'));
    rmSync(cache(), { recursive: true });
    expect(content('first')).toBe('1');
  });

  test('is forgotten when three others were used since', async () => {
    for (const [index, key] of ['one', 'two', 'three', 'one', 'four'].entries()) {
      await take(key, `target${index}`, say(key));
      // The clock of a file system may be coarse.
      await sleep(20);
    }
    expect(readdirSync(cache()).toSorted()).toEqual(['four', 'one', 'three']);
  });
});
