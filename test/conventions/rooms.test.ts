import { importsOf, packagesOf, sourcesIn, withoutExtension, type Source } from './sources';

/** A folder, and what its files may import besides themselves. `contracts` are the files named `contract.ts`. */
interface Room {
  readonly folder: string;
  readonly mayImport: readonly string[];
}

/** Rooms of one folder, lowest first: each may import those before it. */
function stacked(folder: string, names: readonly string[], mayAlsoImport: readonly string[]): Room[] {
  return names.map((name, index) => ({
    folder: `${folder}/${name}`,
    mayImport: [...names.slice(0, index).map((lower) => `${folder}/${lower}`), ...mayAlsoImport],
  }));
}

const CORE = [
  'runtime',
  'stacks',
  'residency',
  'database',
  'access',
  'keys',
  'migrations',
  'objects',
  'archive',
  'erasure',
  'schema',
  'restore',
  'billing',
  'cache',
  'entitlements',
  'providers',
  'queue',
];
const LIB = ['config', 'policy', 'data', 'operations', 'monitoring', 'stacks'];
const LOCAL = ['runtime', 'states', 'template', 'aws', 'postgres', 'stripe', 'tilled', 'platform', 'pass', 'scenarios'];
/** Parts of `local/` that are handed the product: the platform runs it, and the visible pass reads its answers. */
const USES_LIB = ['lib', 'contracts'];
/** What `ops` looks up by AWS's APIs with the code of a function, which does so on a schedule: two of it would differ. */
const ASKS_AWS = ['core/stacks', 'core/residency'];
/** How all versions of an object are removed: a second way might leave some. */
const OBJECTS = 'core/objects';
/** Has the version that `ops --version` prints, of which its bundle takes a copy. */
const PACKAGE = 'package.json';

const ROOMS: readonly Room[] = [
  ...stacked('core', CORE, ['contracts']),
  { folder: 'lambdas', mayImport: ['core'] },
  ...stacked('lib', LIB, ['contracts', OBJECTS]),
  { folder: 'lib', mayImport: [] },
  ...stacked('local', LOCAL, USES_LIB),
  { folder: 'local', mayImport: USES_LIB },
  { folder: 'ops', mayImport: ['contracts', ...ASKS_AWS, OBJECTS, PACKAGE] },
  { folder: 'bin', mayImport: ['lib', 'local', 'ops'] },
];

const FILES = ['core', 'lambdas', 'lib', 'local', 'ops', 'bin'].flatMap(sourcesIn);
/**
 * The table of error codes is one too: commands and workflows read from it what follows from an error. So are the form of
 * the file in which the local platform says where it listens, how amounts are written for people, and which resources of a
 * stack exist.
 */
const isContract = (file: string): boolean =>
  /^(core|lambdas)\/(.*\/)?contract$|^core\/runtime\/(error-codes|money|stack-resources)$|^local\/platform\/contract$/.test(
    withoutExtension(file),
  );
const isIn = (file: string, folder: string): boolean => file === folder || file.startsWith(`${folder}/`);

/** The room of a file: the innermost folder of the table. */
function roomOf(file: string): Room {
  const [room] = ROOMS.filter(({ folder }) => isIn(file, folder)).toSorted((a, b) => b.folder.length - a.folder.length);
  if (!room) throw new Error(`${file} is in no room: add its folder to ROOMS`);
  return room;
}

function mayImport(file: string, target: string): boolean {
  const { folder, mayImport: allowed } = roomOf(file);
  return (
    isIn(target, folder) || allowed.some((other) => (other === 'contracts' ? isContract(target) : isIn(target, other)))
  );
}

// What several functions need: shared by moving it to core.
const functionOf = (file: string): string | undefined => /^lambdas\/([^/]+)\//.exec(file)?.[1];

const CODE = FILES.filter(({ path: file }) => file !== 'core/contract.ts');

test.each(CODE)('$path imports only its own room and the rooms below', (source) => {
  const forbidden = importsOf(source).filter((target) => !mayImport(source.path, target));
  expect(forbidden).toEqual([]);
});

test.each(FILES.filter(({ path: file }) => functionOf(file)))('$path imports no other function', (source) => {
  const functions = importsOf(source).map(functionOf);
  expect(functions.filter((stem) => stem !== undefined && stem !== functionOf(source.path))).toEqual([]);
});

test.each(FILES.filter(({ path: file }) => isContract(file)))('$path imports only contracts and zod', (source) => {
  expect(packagesOf(source).filter((name) => name !== 'zod')).toEqual([]);
  expect(importsOf(source).filter((target) => !isContract(target))).toEqual([]);
});

test('no file imports itself, by whatever way round', () => {
  const imports = new Map(FILES.map((source) => [withoutExtension(source.path), importsOf(source)]));
  expect(circlesIn(imports)).toEqual([]);
});

test('a circle of imports is found', () => {
  const imports = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['b']],
    ['d', []],
  ]);
  expect(circlesIn(imports)).toEqual(['b -> c -> b']);
});

/** Each circle that a walk along the imports comes upon. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    const start = way.indexOf(file);
    if (start >= 0) {
      circles.push([...way.slice(start), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return circles;
}

test('each function has a construct of the same stem', () => {
  const functions = FILES.filter(({ path: file }) => file.endsWith('/handler.ts')).map((source) =>
    functionOf(source.path),
  );
  const paths = FILES.map(({ path: file }) => file);
  expect(functions.length).toBeGreaterThan(10);
  for (const stem of functions) expect(paths).toContain(`lib/operations/functions/${stem}.ts`);
});

// `import { z }` brings its messages in fifty languages along: a third of a megabyte that each function reads at its start.
test.each(['core', 'lambdas'].flatMap(sourcesIn))('$path imports the whole of zod by its names', ({ text }: Source) => {
  const imports = text.match(/^.*from 'zod.*$/gm) ?? [];
  expect(imports.filter((line) => !/^import (?:type )?\* as z from 'zod';$/.test(line))).toEqual([]);
});

/** STYLE of the project: what one sitting can read. */
const MAX_LINES = 350;

test.each([...FILES, ...['test', 'bench'].flatMap(sourcesIn)])('$path can be read in one sitting', ({ text }) => {
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(MAX_LINES);
});
