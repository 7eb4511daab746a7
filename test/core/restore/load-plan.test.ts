import type { ArchivedTable } from '../../../core/archive/manifest';
import { isFrozen, LoadPlan, type LoadStep, planLoads, type TableBuild } from '../../../core/restore/load-plan';

/** A table of parts with so many bytes; one byte a row. */
function table(name: string, ...partBytes: number[]): ArchivedTable {
  const sizes = (bytes: number) => ({ rows: bytes, bytes, compressedBytes: bytes });
  const parts = partBytes.map((bytes, at) => ({ key: `${name}/${at}`, sha256: '', ...sizes(bytes) }));
  return { schema: 'public', name, columns: ['id'], parts, ...sizes(partBytes.reduce((sum, bytes) => sum + bytes, 0)) };
}

interface NamedBuild extends TableBuild {
  readonly name: string;
}

function index(tableName: string, name: string, exclusive = false): NamedBuild {
  return { table: `"public"."${tableName}"`, name, exclusive, build: () => Promise.resolve() };
}

const keyOf = (tableName: string, name: string): NamedBuild => index(tableName, name, true);

const nameOf = (step: LoadStep) =>
  'build' in step ? (step.build as NamedBuild).name : step.load.parts.map(({ key }) => key).join('+');

/** Takes steps from a plan, and marks tables as loaded, by the names of their steps. */
function follow(tables: readonly ArchivedTable[], builds: readonly NamedBuild[], connections = 2) {
  const loads = planLoads(tables, connections);
  const plan = new LoadPlan(loads, builds);
  const steps = plan.steps();
  return {
    next: async () => {
      const { value } = await steps.next();
      return value ? nameOf(value) : 'end';
    },
    finish: (name: string) => {
      const load = loads.find((candidate) => nameOf({ load: candidate }) === name);
      if (!load) throw new Error(`There is no load ${name}`);
      plan.markLoaded(load);
    },
    finishBuild: (name: string) => {
      const build = builds.find((candidate) => candidate.name === name);
      if (!build) throw new Error(`There is no build ${name}`);
      plan.markBuilt(build);
    },
  };
}

describe('a load plan', () => {
  test('loads a table as a whole unless it would keep its connection busy long after the others', () => {
    const [large, small] = [table('large', 40_000, 40_000), table('small', 10_000)];
    const keys = (connections: number) =>
      planLoads([small, large], connections).map((load) => [nameOf({ load }), isFrozen(load)]);
    expect(keys(2)).toEqual([
      ['large/0', false],
      ['large/1', false],
      ['small/0', true],
    ]);
    expect(keys(1)).toEqual([
      ['large/0+large/1', true],
      ['small/0', true],
    ]);
  });

  test('freezes no table of a few rows', () => {
    expect(planLoads([table('few', 4_999), table('many', 5_000)], 2).map(isFrozen)).toEqual([true, false]);
  });

  test('begins every load before any index, the longest first', async () => {
    const { next, finish } = follow([table('b', 6_000), table('a', 5_000)], [index('b', 'b_key'), index('a', 'a_key')]);
    expect(await next()).toBe('b/0');
    finish('b/0');
    expect(await next()).toBe('a/0');
    expect(await next()).toBe('b_key');
  });

  test('yields the indexes of a table once its last part is loaded, while another table still loads', async () => {
    const tables = [table('parts', 30_000, 30_000), table('slow', 8_000)];
    const { next, finish } = follow(tables, [
      index('slow', 'slow_key'),
      index('parts', 'key'),
      index('parts', 'other'),
    ]);
    expect([await next(), await next(), await next()]).toEqual(['parts/0', 'parts/1', 'slow/0']);
    finish('parts/0');
    let waited = true;
    const waiting = next().finally(() => (waited = false));
    await new Promise((resolve) => setImmediate(resolve));
    expect(waited).toBe(true);
    finish('parts/1');
    expect(await waiting).toBe('key');
    expect(await next()).toBe('other');
    finish('slow/0');
    expect([await next(), await next()]).toEqual(['slow_key', 'end']);
  });

  test('yields the indexes of the largest loaded table first', async () => {
    const names = ['small', 'large', 'middle'];
    const tables = [table('small', 1_000), table('large', 9_000), table('middle', 5_000)];
    const { next, finish } = follow(
      tables,
      names.map((name) => index(name, `${name}_key`)),
      3,
    );
    for (let load = 0; load < 3; load += 1) await next();
    for (const name of names) finish(`${name}/0`);
    expect([await next(), await next(), await next(), await next()]).toEqual([
      'large_key',
      'middle_key',
      'small_key',
      'end',
    ]);
  });

  test('yields a key before the indexes of its table, and nothing else of that table until it is built', async () => {
    const tables = [table('large', 9_000), table('small', 8_000)];
    const builds = [index('large', 'large_index'), keyOf('large', 'large_key'), index('small', 'small_index')];
    const { next, finish, finishBuild } = follow(tables, builds);
    expect([await next(), await next()]).toEqual(['large/0', 'small/0']);
    finish('large/0');
    finish('small/0');
    expect([await next(), await next()]).toEqual(['large_key', 'small_index']);
    let waited = true;
    const waiting = next().finally(() => (waited = false));
    await new Promise((resolve) => setImmediate(resolve));
    expect(waited).toBe(true);
    finishBuild('large_key');
    expect(await waiting).toBe('large_index');
    expect(await next()).toBe('end');
  });

  test('freezes no partition that is loaded through its root', () => {
    const leaf = { ...table('leaf', 6_000), loadThrough: { schema: 'public', name: 'root' } };
    expect(planLoads([leaf], 1).map(isFrozen)).toEqual([false]);
  });

  test('ends after the last load where nothing is built ahead', async () => {
    const { next, finish } = follow([table('only', 10)], []);
    expect(await next()).toBe('only/0');
    finish('only/0');
    expect(await next()).toBe('end');
  });
});
