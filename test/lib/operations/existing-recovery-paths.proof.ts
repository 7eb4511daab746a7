import { DATABASE_NAMES, type DatabaseName } from '../../../core/contract';
import { described, existingInUse } from '../../support/states/existing-world';
import type { JsonObject } from '../../../local/states/definition';
import { waysOut } from '../../../local/states/interpreter';
import { follow, PATHS, type Path } from '../../support/states/recovery-paths';
import { RecoveryWorld } from '../../support/states/recovery-world';

const gone = (world: RecoveryWorld) => world.rds.delete(world.id, { keepBackups: true });
const changed = (fields: JsonObject) => (world: RecoveryWorld) => {
  const { allocatedGiB } = world.rds.find(world.id);
  world.rds.delete(world.id, { keepBackups: false });
  world.rds.add(world.id, 'live data', allocatedGiB, { ...described(world.database), ...fields });
};
/** Ways that only the recovery of an existing instance has. */
const OWN_PATHS: readonly Path[] = [
  { when: 'it is gone', ends: 'SUCCEEDED', arrange: (world) => gone(world) },
  { when: 'it is of another engine', ends: 'RequestRefused', arrange: changed({ Engine: 'mysql' }) },
  { when: 'it has no automated backups', ends: 'NothingToRestoreFrom', arrange: changed({ BackupRetentionPeriod: 0 }) },
  {
    when: 'it listens on another port',
    ends: 'RequestRefused',
    arrange: (world) => (world.rds.find(world.id).port = 6432),
  },
  {
    when: 'it is gone, and RDS knows no backups of it at all',
    ends: 'NothingToRestoreFrom',
    arrange: (world) => world.rds.delete(world.id, { keepBackups: false }),
    failAt: (state) => (/backups/.test(state) ? 'Rds.DbInstanceAutomatedBackupNotFoundException' : undefined),
  },
  { when: 'a run before configured it', ends: 'SUCCEEDED', after: 'Begin warming' },
];

/** Those of a proxy differ in nothing from a created instance, whose paths are taken elsewhere. */
const pathsOf = (database: DatabaseName) =>
  [...(database === 'main' ? PATHS : PATHS.slice(0, 3)), ...OWN_PATHS].filter(({ of = database }) => of === database);
const taken: Readonly<Record<DatabaseName, Set<string>>> = { billing: new Set(), main: new Set() };

describe.each(DATABASE_NAMES)('the recovery of an existing instance of %s', (database) => {
  test.each(pathsOf(database).map((path) => [path.when, path.ends, path] as const))(
    'when %s ends as %s',
    async (_, ends, path) => {
      const outcome = await follow(existingInUse(database), path);
      for (const way of outcome.left) taken[database].add(way);
      expect([outcome.ends, outcome.cause]).toEqual([
        ends,
        ends === 'SUCCEEDED' ? undefined : expect.stringMatching(/Exists now: .*Safe: .*To go on: .*Runbook: /),
      ]);
    },
  );

  test.each(['Look at the settings of the instance', 'Find what its backups say of it', 'Note that it is configured'])(
    'when "%s" is refused for good explains itself',
    async (name) => {
      const failAt = (state: string) => (state === name ? 'Aws.Refused' : undefined);
      const arrange = name.startsWith('Find') ? (world: RecoveryWorld) => gone(world) : undefined;
      const outcome = await follow(existingInUse(database), { when: name, ends: '', failAt, arrange });
      for (const way of outcome.left) taken[database].add(way);
      expect(outcome.ends).toBe('Aws.Refused');
    },
  );

  test('has no way of its own that was not taken', () => {
    const created = new Set(waysOut(new RecoveryWorld(database).definition));
    const ways = waysOut(existingInUse(database).definition).filter((way) => !way.endsWith('DataLimitExceeded'));
    const own = ways.filter((way) => !created.has(way));
    expect(own.length).toBeGreaterThan(10);
    expect(own.filter((way) => !taken[database].has(way))).toEqual([]);
    const common = ways.filter((way) => created.has(way) && !way.endsWith('States.ALL'));
    if (database === 'main') expect(common.filter((way) => !taken[database].has(way))).toEqual([]);
  });
});
