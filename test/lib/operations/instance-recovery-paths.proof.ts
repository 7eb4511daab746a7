import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { waysOut } from '../../../local/states/interpreter';
import { follow, PATHS } from '../../support/states/recovery-paths';
import { RecoveryWorld } from '../../support/states/recovery-world';

/** Ways out that were taken by the paths below, by database. */
const taken: Readonly<Record<DatabaseName, Set<string>>> = { billing: new Set(), main: new Set() };

describe.each(DATABASE_NAMES)('a recovery of %s', (database) => {
  const paths = PATHS.filter(({ of }) => of === undefined || of === database);
  test.each(paths.map((path) => [path.when, path.ends, path] as const))('when %s ends as %s', async (_, ends, path) => {
    const outcome = await follow(RecoveryWorld.inUse(database), path);
    for (const way of outcome.left) taken[database].add(way);
    expect(outcome.ends).toBe(ends);
  });

  const { definition } = new RecoveryWorld(database);
  /** Those that a recovery can do without; every other one ends it. */
  const dispensable =
    /^(Begin to set the old instance aside|Make the log groups|Report .*|Start the reminder|Warm .*)$/;
  const calls = Object.entries(definition.States).flatMap(([name, { Catch }]) => (Catch ? [name] : []));
  test.each(calls)('goes on, or explains itself, when "%s" is refused for good', async (name) => {
    const failAt = (state: string) => (state === name ? 'Aws.Refused' : undefined);
    for (const path of paths) {
      const { ends, left } = await follow(RecoveryWorld.inUse(database), { ...path, failAt });
      for (const way of left) taken[database].add(way);
      if (!left.includes(`${name}: States.ALL`)) continue;
      expect(ends).toBe(dispensable.test(name) ? path.ends : 'Aws.Refused');
      return;
    }
    throw new Error('No path leads there');
  });

  test('has no way that was not taken', () => {
    // A result that is too large is one state's alone: that of the verification, which another test takes.
    const ways = waysOut(definition).filter((way) => !way.endsWith(': States.DataLimitExceeded'));
    expect(ways.filter((way) => !taken[database].has(way))).toEqual([]);
  });
});
