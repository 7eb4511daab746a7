import type { InstanceSettings } from '../../../lib/data/database';
import { RECOVERY_EVENTS } from '../../../lib/operations/recovery/recovery-events';
import { temporaryExpiryDefinition } from '../../../lib/operations/recovery/temporary-instance-expiry';
import {
  bringUp,
  REMOVE,
  removalStates,
  temporaryFailureStates,
  temporaryInstanceStates,
  temporaryVariables,
  type TemporaryInstanceProps,
} from '../../../lib/operations/recovery/temporary-instance-states';
import { DAY, HOUR, MINUTE } from '../../support/states/clock';
import { waysOut, type Execution, type ExecutionOptions } from '../../../local/states/interpreter';
import type { Definition, Json, JsonObject } from '../../../local/states/definition';
import { RecoveryWorld } from '../../support/states/recovery-world';

const ID = 'billing-operations-production-main';
const PROPS: TemporaryInstanceProps = {
  environmentName: 'production',
  database: 'main',
  purpose: 'rows',
  settings: { instanceIdentifier: ID, subnetGroupName: ID, parameterGroupName: `${ID}-postgres17` } as InstanceSettings,
  securityGroupId: 'sg-1',
  resetPasswordFunctionArn: 'arn:of:BillingOps-production-reset-password',
  expiryArn: 'arn:of:expiry',
  targetMinutes: 60,
};

/** Brings an instance up, and removes it at once. */
const DEFINITION = {
  QueryLanguage: 'JSONata',
  StartAt: 'Note',
  States: {
    Note: { Type: 'Pass', Assign: { ...temporaryVariables(PROPS) }, Next: bringUp(PROPS) },
    ...temporaryInstanceStates(PROPS, 'Use it'),
    'Use it': { Type: 'Pass', Output: { read: '{% $host %}' }, Next: REMOVE },
    ...removalStates(PROPS, 'Done'),
    Done: { Type: 'Succeed' },
    ...temporaryFailureStates({ ...PROPS, runbookUrl: 'https://runbook', runbookAnchor: 'rows' }),
  },
} as unknown as Definition;

const EXPIRY = temporaryExpiryDefinition({ environmentName: 'production', database: 'main' }) as unknown as Definition;

const left = new Set<string>();
const NOTHING_ELSE = [ID];

async function use(
  world: RecoveryWorld,
  input: Json = {},
  options: Partial<ExecutionOptions> = {},
): Promise<Execution> {
  const execution = await world.run(DEFINITION, input, options);
  for (const way of execution.left) left.add(way);
  return execution;
}

/** Runs the expiry that the execution started, from that moment on. */
async function expire(world: RecoveryWorld): Promise<Execution> {
  const [{ Input } = {}] = world.reminders;
  const execution = await world.run(EXPIRY, Input);
  for (const way of execution.left) left.add(way);
  return execution;
}

const restored = (world: RecoveryWorld) => world.rds.find(world.recovered);

test('a temporary instance is small, private and tagged, can be deleted, and has the password of today', async () => {
  const world = RecoveryWorld.inUse('main');
  const execution = await use(world, { restoreTime: '2026-11-21T06:00:07Z' });
  const name = `${ID}-rows-5feceb66`;
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: { read: `${name}.example.rds.amazonaws.com` } });
  const [{ arguments: given } = { arguments: {} as JsonObject }] = world.rds.calls.filter(({ action }) =>
    action.startsWith('restore'),
  );
  expect(given).toMatchObject({
    SourceDBInstanceIdentifier: ID,
    TargetDBInstanceIdentifier: name,
    RestoreTime: '2026-11-21T06:00:07Z',
    DbInstanceClass: 'db.t4g.medium',
    MultiAZ: false,
    PubliclyAccessible: false,
    DeletionProtection: false,
    DbSubnetGroupName: ID,
    DbParameterGroupName: `${ID}-postgres17`,
    VpcSecurityGroupIds: ['sg-1'],
  });
  expect(given.Tags).toContainEqual({ Key: 'temporary-for', Value: 'rows' });
  expect(world.invoked).toEqual(['reset-password']);
  expect(world.rds.identifiers).toEqual(NOTHING_ELSE);
});

test.each([
  ['the latest time', {}, 'restoreDBInstanceToPointInTime', { UseLatestRestorableTime: true }],
  ['a snapshot', { snapshotArn: 'arn:x' }, 'restoreDBInstanceFromDBSnapshot', { DbSnapshotIdentifier: 'arn:x' }],
])('a temporary instance is restored from %s', async (_, input, action, given) => {
  const world = RecoveryWorld.inUse('main');
  expect(await use(world, input)).toMatchObject({ status: 'SUCCEEDED' });
  expect(world.rds.calls).toContainEqual(
    expect.objectContaining({ action, arguments: expect.objectContaining(given) as object }),
  );
});

test.each<JsonObject>([{}, { restoreTime: '2026-11-21T06:00:07Z' }])(
  'a deleted instance is read as well: %p',
  async (input) => {
    const world = RecoveryWorld.inUse('main');
    world.rds.delete(ID, { keepBackups: true });
    expect(await use(world, input)).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.identifiers).toEqual([]);
  },
);

/** What happens to the temporary instance when a state is entered for the first time. */
const at = (name: string, happens: (world: RecoveryWorld) => void) => (world: RecoveryWorld) => ({
  abortAt: (state: string, visit: number) => {
    if (state === name && visit === 1) happens(world);
    return false;
  },
});
const becomes = (status: string) => (world: RecoveryWorld) => restored(world).plan([0, status]);
const goes = (world: RecoveryWorld) => world.rds.delete(world.recovered, { keepBackups: false });
const refused = (name: string) => () => ({ failAt: (state: string) => (state === name ? 'Refused' : undefined) });

interface Failure {
  readonly when: string;
  readonly error: string;
  readonly arrange: (world: RecoveryWorld) => Partial<ExecutionOptions> | undefined | void;
}
const FAILURES: readonly Failure[] = [
  {
    when: 'there are no backups',
    error: 'NothingToRestoreFrom',
    arrange: ({ rds }) => rds.delete(ID, { keepBackups: false }),
  },
  {
    when: 'RDS knows of no backups of the deleted instance',
    error: 'NothingToRestoreFrom',
    arrange({ rds }) {
      rds.delete(ID, { keepBackups: false });
      return {
        failAt: (state) => (/backups/.test(state) ? 'Rds.DbInstanceAutomatedBackupNotFoundException' : undefined),
      };
    },
  },
  {
    when: 'a restore is refused',
    error: 'Rds.KmsKeyNotAccessibleException',
    arrange: ({ rds }) => rds.fail('restoreDBInstanceToPointInTime', 'Rds.KmsKeyNotAccessibleException', 1),
  },
  { when: 'the password cannot be set', error: 'Refused', arrange: refused('Set the current password') },
  ...['Wait until restored', 'Wait until the password is set'].flatMap((wait) => [
    {
      when: `RDS gives up at "${wait}"`,
      error: 'InstanceUnusable',
      arrange: at(wait, becomes('incompatible-restore')),
    },
    { when: `RDS does not finish at "${wait}"`, error: 'InstanceLate', arrange: at(wait, becomes('modifying')) },
    { when: `the instance is deleted at "${wait}"`, error: 'InstanceLate', arrange: at(wait, goes) },
  ]),
];

test.each(FAILURES)('when $when, the execution says so, and leaves nothing', async ({ error, arrange }) => {
  const world = RecoveryWorld.inUse('main');
  const execution = await use(world, {}, arrange(world) ?? {});
  expect(execution).toMatchObject({ status: 'FAILED', error });
  expect(execution.cause).toMatch(/Exists now: .+ Safe: .+ To go on: .+ Runbook: https:\/\/runbook#rows$/);
  world.clock.advance(10 * MINUTE);
  expect(world.rds.identifiers).not.toContain(`${ID}-rows-5feceb66`);
});

test('nothing is made when the expiry cannot be started', async () => {
  const world = RecoveryWorld.inUse('main');
  const execution = await use(
    world,
    {},
    { failAt: (state) => (state === bringUp(PROPS) ? 'States.Refused' : undefined) },
  );
  expect(execution.cause).toContain('Safe: Nothing was made.');
  expect(world.rds.calls.filter(({ action }) => action.startsWith('restore'))).toEqual([]);
});

test.each([
  ['describeDBInstances', 6],
  ['restoreDBInstanceToPointInTime', 4],
  ['deleteDBInstance', 4],
])('throttling of %s is waited out', async (action, times) => {
  const world = RecoveryWorld.inUse('main');
  world.rds.fail(action, 'Rds.RdsException', times);
  expect(await use(world)).toMatchObject({ status: 'SUCCEEDED' });
  expect(world.rds.identifiers).toEqual(NOTHING_ELSE);
});

describe('the removal of a temporary instance', () => {
  const whenRemoved = async (happens: (world: RecoveryWorld) => void) => {
    const world = RecoveryWorld.inUse('main');
    return { world, execution: await use(world, {}, at(REMOVE, happens)(world)) };
  };

  test('waits while the instance is changed, and deletes it then', async () => {
    const { world, execution } = await whenRemoved((w) => restored(w).plan([0, 'creating'], [600, 'available']));
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.identifiers).toEqual(NOTHING_ELSE);
  });

  test('is done where another has deleted it', async () => {
    expect((await whenRemoved(goes)).execution).toMatchObject({ status: 'SUCCEEDED' });
  });

  test('that RDS never finishes fails with what exists and costs', async () => {
    const { world, execution } = await whenRemoved(becomes('deleting'));
    expect(execution).toMatchObject({ status: 'FAILED', error: 'InstanceRemains' });
    expect(execution.cause).toContain(`${world.recovered} could not be deleted`);
    expect(execution.cause).toContain(
      'if it exists, it costs until its expiry deletes it, at 2026-11-22T12:00:00.000Z',
    );
  });

  test('that is refused for good fails with that', async () => {
    const world = RecoveryWorld.inUse('main');
    const failAt = (state: string) => (state === 'Remove the temporary instance' ? 'Rds.Refused' : undefined);
    expect(await use(world, {}, { failAt })).toMatchObject({ status: 'FAILED', error: 'Rds.Refused' });
    world.clock.advance(10 * MINUTE);
    expect(world.rds.identifiers).toEqual(NOTHING_ELSE);
  });
});

describe('the expiry of a temporary instance', () => {
  const stopped = async () => {
    const world = RecoveryWorld.inUse('main');
    await use(world, {}, { abortAt: (state) => state === 'Use it' });
    return world;
  };

  test('reminds of the instance of a stopped execution, and deletes it a day after its start', async () => {
    const world = await stopped();
    const start = Date.parse('2026-11-21T12:00:00Z');
    expect(world.rds.identifiers).toHaveLength(2);
    const deletedAt = async () => {
      const { status } = await expire(world);
      return { status, atMs: world.rds.calls.find(({ action }) => action === 'deleteDBInstance')?.atMs };
    };
    expect(await deletedAt()).toEqual({ status: 'SUCCEEDED', atMs: start + DAY + HOUR });
    expect(world.rds.identifiers).toEqual(NOTHING_ELSE);
    expect(world.events).toEqual([
      {
        type: RECOVERY_EVENTS.temporaryKept,
        detail: {
          environment: 'production',
          database: 'main',
          instance: world.recovered,
          purpose: 'rows',
          removeAt: '2026-11-22T13:00:00.000Z',
        },
      },
    ]);
  });

  test('says nothing of an instance that is gone', async () => {
    const world = RecoveryWorld.inUse('main');
    await use(world);
    expect(await expire(world)).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.events).toEqual([]);
  });

  test('reports an instance that RDS does not delete, and tries again until it is gone', async () => {
    const world = await stopped();
    world.rds.fail('deleteDBInstance', 'Rds.Refused', 2);
    expect(await expire(world)).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.events.map(({ type }) => type)).toEqual([
      RECOVERY_EVENTS.temporaryKept,
      RECOVERY_EVENTS.temporaryRemains,
      RECOVERY_EVENTS.temporaryRemains,
    ]);
    expect(world.rds.identifiers).toEqual(NOTHING_ELSE);
  });

  test('is done where another deletes the instance after the reminder', async () => {
    const world = await stopped();
    const [{ Input } = {}] = world.reminders;
    const execution = await world.run(EXPIRY, Input, {
      ...at('Wait until its time is over', goes)(world),
    });
    for (const way of execution.left) left.add(way);
    expect(execution.status).toBe('SUCCEEDED');
  });

  test.each(['Look whether it exists', 'Look whether it is gone', 'Remind of it', 'Report that it remains'])(
    'deletes it all the same when "%s" fails',
    async (name) => {
      const world = await stopped();
      world.rds.fail('deleteDBInstance', 'Rds.Refused', 1);
      const [{ Input } = {}] = world.reminders;
      const seen = new Map<string, number>();
      const execution = await world.run(EXPIRY, Input, {
        failAt: (state) => {
          seen.set(state, (seen.get(state) ?? 0) + 1);
          return state === name && (seen.get(state) ?? 0) <= 10 ? 'Refused' : undefined;
        },
      });
      for (const way of execution.left) left.add(way);
      expect([execution.status, world.rds.identifiers]).toEqual(['SUCCEEDED', NOTHING_ELSE]);
    },
  );
});

test('a restore whose answer is lost is not begun twice', async () => {
  const inputs: JsonObject[] = [{}, { restoreTime: '2026-11-21T06:00:07Z' }, { snapshotArn: 'arn:x' }];
  for (const input of inputs) {
    for (const isDeleted of [false, true]) {
      const world = RecoveryWorld.inUse('main');
      if (isDeleted) world.rds.delete(ID, { keepBackups: true });
      world.rds.losesAnswer = true;
      expect(await use(world, input)).toMatchObject({ status: 'SUCCEEDED' });
    }
  }
});

test('no way of bringing up and removing an instance was left out, but for calls that are refused', () => {
  const ways = [...waysOut(DEFINITION), ...waysOut(EXPIRY)].filter((way) => !/: States\.\w+$/.test(way));
  expect(ways.filter((way) => !left.has(way))).toEqual([]);
});
