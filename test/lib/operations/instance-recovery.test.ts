import { DATABASE_NAMES } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { DAY, HOUR, MINUTE } from '../../support/states/clock';
import type { Execution } from '../../../local/states/interpreter';
import { RecoveryWorld } from '../../support/states/recovery-world';

/** Names of the states that were entered, without repetitions and without the steps of waits. */
const pathOf = ({ states }: Execution) => [...new Set(states.filter((name) => !name.includes(': ')))];
const actionsOf = ({ rds }: RecoveryWorld) => rds.calls.map(({ action }) => action);
/** Calls that change the instance in use, or the proxy. */
const touching = ({ rds, id }: RecoveryWorld) =>
  rds.calls.filter(
    ({ action, arguments: given }) =>
      action.endsWith('ProxyTargets') || (action === 'modifyDBInstance' && given.DbInstanceIdentifier === id),
  );

describe.each(DATABASE_NAMES)('a recovery of %s', (database) => {
  const target = BACKUP_POLICIES[database].restoreTargetMinutes;

  test('replaces the instance in use by one of the latest moment, and keeps the former one', async () => {
    const world = RecoveryWorld.inUse(database);
    const execution = await world.recover();
    expect(execution).toMatchObject({
      status: 'SUCCEEDED',
      output: { instance: world.id, targetMinutes: target, warming: { done: true }, verification: { sound: true } },
    });
    const { former } = execution.output as { former: string };
    expect(world.rds.find(world.id).data).toBe('live data at the latest time');
    expect(world.rds.find(former).data).toBe('live data');
    expect(world.rds.identifiers).toEqual([world.id, former].toSorted());
  });

  test('erases again, once the former instance has no name, who was erased during the cut-over', async () => {
    const world = RecoveryWorld.inUse(database);
    let isSwitched = false;
    const abortAt = (state: string) => {
      if (state !== 'Erase again who was erased during the cut-over') return false;
      isSwitched = world.rds.find(world.id).data === 'live data at the latest time';
      world.failsErasing = 'DatabaseBusy';
      return false;
    };
    const execution = await world.recover({}, { abortAt });
    expect(isSwitched).toBe(true);
    expect(world.eventsOf('trafficRestored')).toHaveLength(1);
    expect(execution).toMatchObject({ status: 'FAILED', error: 'DatabaseBusy' });
    expect(execution.cause).toMatch(/Traffic flows to the recovered instance, which took the name.*recoveredInstance/);
    // As told: starts again, and ends with the erasure.
    world.failsErasing = undefined;
    const [invoked, groups] = [world.invoked.length, world.logGroups.size];
    expect(await world.recover({ recoveredInstance: world.recovered })).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.invoked.slice(invoked)).toEqual(['erasure']);
    // The instance that was set aside is the one that is named, and reminded of.
    const [{ formerInstance } = {}] = world.eventsOf('completed');
    expect(new Set(world.rds.identifiers)).toEqual(new Set([world.id, formerInstance]));
    expect(world.logGroups.size).toBe(groups);
    expect(world.reminders).toHaveLength(1);
  });

  test('ends within the restore target, renames and five minutes to confirm included', async () => {
    const world = RecoveryWorld.inUse(database);
    const { output } = await world.recover();
    const { minutesToTraffic } = output as { minutesToTraffic: number };
    const [{ minutesToTraffic: expected } = {}] = world.eventsOf('confirmationRequested');
    expect(minutesToTraffic).toBeLessThan(target);
    // What the operator was shown, plus five minutes to decide; a rename takes ten minutes at most.
    expect(minutesToTraffic).toBeGreaterThanOrEqual(Number(expected) + 2);
    expect(minutesToTraffic).toBeLessThanOrEqual(Number(expected) + 5 + 2);
  });

  test.each([
    ['to a second', { restoreTime: '2026-11-21T06:00:07Z' }, 'live data at 2026-11-21T06:00:07Z'],
    [
      'from a recovery point',
      { snapshotArn: 'arn:aws:rds:eu-central-1:333333333333:snapshot:awsbackup:job-1' },
      'snapshot arn:aws:rds:eu-central-1:333333333333:snapshot:awsbackup:job-1',
    ],
  ])('restores %s', async (_, input, data) => {
    const world = RecoveryWorld.inUse(database);
    expect(await world.recover(input)).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.find(world.id).data).toBe(data);
  });

  test('restores a deleted instance from the backups that RDS kept of it, by the id of its resource', async () => {
    const world = new RecoveryWorld(database);
    // Two instances of that name were deleted: the one that was in use last counts.
    world.rds.add(world.id, 'older');
    world.rds.delete(world.id, { keepBackups: true });
    world.clock.advance(DAY);
    world.rds.add(world.id, 'newer');
    world.rds.delete(world.id, { keepBackups: true });
    const execution = await world.recover({ restoreTime: '2026-11-22T06:00:00Z' });
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect(pathOf(execution)).toContain('Restore the deleted instance to a time');
    expect(world.rds.calls).toContainEqual(
      expect.objectContaining({
        action: 'restoreDBInstanceToPointInTime',
        arguments: expect.objectContaining({ SourceDbiResourceId: 'db-0002' }) as object,
      }),
    );
    expect(world.rds.find(world.id).data).toBe('newer at 2026-11-22T06:00:00Z');
  });

  test('restores a deleted instance to its latest time, and needs nothing of the deleted one to cut over', async () => {
    const world = RecoveryWorld.inUse(database);
    world.rds.delete(world.id, { keepBackups: true });
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.identifiers).toEqual([world.id]);
    expect(world.rds.servedByProxy).toBe(database === 'billing' ? 'live data at the latest time' : undefined);
    // Nothing was set aside, so nothing is kept and costs.
    expect(world.eventsOf('completed')).toMatchObject([
      { formerInstance: null, keeps: 'The former one was not there any more when the name was taken' },
    ]);
  });

  test('says what to restore from when a deleted instance has no backups left', async () => {
    const world = RecoveryWorld.inUse(database);
    world.rds.delete(world.id, { keepBackups: false });
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'NothingToRestoreFrom' });
    expect(execution.cause).toMatch(/Start the workflow again with snapshotArn: the newest recovery point/);
  });

  test('sets a storage limit that RDS accepts when autoscaling has grown the disk past ours', async () => {
    const world = RecoveryWorld.inUse(database);
    world.rds.restoredGiB = 9000;
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.find(world.id).maximumGiB).toBe(9900);
  });
});

describe('a request', () => {
  test.each([
    ['a misspelt key', { restoretime: '2026-11-21T06:00:00Z' }, /unknown input restoretime/],
    ['a key for another workflow', { dryRun: true }, /expected nothing, or one of restoreTime, snapshotArn/],
    ['two sources', { restoreTime: '2026-11-21T06:00:00Z', snapshotArn: 'arn' }, /only one of/],
    ['a time in another form', { restoreTime: '21 November' }, /restoreTime must be a time in UTC/],
    ['a time that is a number', { restoreTime: 5 }, /restoreTime must be a time in UTC/],
    ['a snapshot of another account', { snapshotArn: 'arn:aws:rds:eu-central-1:1:snapshot:x' }, /must begin with/],
    ['an instance that is not ours', { recoveredInstance: 'billing' }, /must be an instance that this workflow made/],
  ])('with %s is refused before anything is made', async (_, input, cause) => {
    const world = RecoveryWorld.inUse('billing');
    const execution = await world.recover(input);
    expect(execution).toMatchObject({ status: 'FAILED', error: 'RequestRefused' });
    expect(execution.cause).toMatch(cause);
    expect(new Set(actionsOf(world))).toEqual(new Set(['describeDBInstances']));
    expect(world.logGroups.size).toBe(0);
  });
});

describe('while RDS works', () => {
  test.each([
    'creating',
    'backing-up',
    'modifying',
    'configuring-enhanced-monitoring',
    'configuring-log-exports',
    'maintenance',
    'rebooting',
    'resetting-master-credentials',
    'upgrading',
  ])('the status %s is waited for', async (status) => {
    const world = RecoveryWorld.inUse('billing');
    const execution = await world.recover(
      {},
      {
        abortAt: (state, visit) => {
          if (state === 'Wait until restored' && visit === 1) {
            world.rds.find(world.recovered).plan([0, status, status !== 'creating'], [1200, 'available']);
          }
          return false;
        },
      },
    );
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect((execution.output as { minutesToTraffic: number }).minutesToTraffic).toBeGreaterThan(30.5);
  });

  test.each(['available', 'storage-optimization', 'storage-initialization'])(
    'an instance that is %s is worked with at once',
    async (status) => {
      const world = RecoveryWorld.inUse('billing');
      world.rds.restoresEndAs = status;
      const { status: outcome, output } = await world.recover();
      expect([outcome, (output as { minutesToTraffic: number }).minutesToTraffic]).toEqual(['SUCCEEDED', 30.5]);
    },
  );

  test.each([
    'failed',
    'restore-error',
    'incompatible-restore',
    'incompatible-network',
    'incompatible-parameters',
    'incompatible-option-group',
    'storage-full',
    'inaccessible-encryption-credentials',
    'inaccessible-encryption-credentials-recoverable',
    'insufficient-capacity',
    'stopped',
    'deleting',
    'a-status-of-tomorrow',
  ])('the status %s ends the recovery at once', async (status) => {
    const world = RecoveryWorld.inUse('billing');
    world.rds.restoresEndAs = status;
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'InstanceUnusable' });
    expect(execution.endedAtMs - execution.startedAtMs).toBeLessThan(15 * MINUTE);
    expect(execution.cause).toContain(`${world.recovered} is ${status}`);
    expect(touching(world)).toEqual([]);
  });

  test.each(DATABASE_NAMES)('no wait for %s is longer than the restore target', async (database) => {
    const world = RecoveryWorld.inUse(database);
    world.rds.restoresEndAs = 'modifying';
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'InstanceLate' });
    const minutes = (execution.endedAtMs - execution.startedAtMs) / MINUTE;
    expect(Math.abs(minutes - BACKUP_POLICIES[database].restoreTargetMinutes)).toBeLessThan(2);
    expect(execution.cause).toContain(`with the input recoveredInstance = ${world.recovered}`);
  });

  test.each([
    ['describeDBInstances', 6],
    ['restoreDBInstanceToPointInTime', 4],
    ['modifyDBInstance', 4],
  ])('throttling of %s is waited out', async (action, times) => {
    const world = RecoveryWorld.inUse('billing');
    world.rds.fail(action, 'Rds.RdsException', times);
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(actionsOf(world).filter((one) => one.startsWith('restore')).length).toBe(
      action.startsWith('restore') ? times + 1 : 1,
    );
  });

  test('a restore whose answer is lost is not begun twice', async () => {
    const world = RecoveryWorld.inUse('billing');
    world.rds.losesAnswer = true;
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.rds.identifiers).toHaveLength(2);
  });

  test('a call that is refused for good fails with what exists, what is safe and how to go on', async () => {
    const world = RecoveryWorld.inUse('main');
    world.rds.fail('modifyDBInstance', 'Rds.KmsKeyNotAccessibleException', 1);
    const execution = await world.recover();
    expect(execution).toMatchObject({ status: 'FAILED', error: 'Rds.KmsKeyNotAccessibleException' });
    const { recovered } = world;
    expect(execution.cause).toMatch(/^State: Configure the recovered instance\. Cause: Rds\.KmsKeyNotAccessible/);
    expect(execution.cause).toContain(
      `Exists now: ${world.id} is available; ${recovered} is available; ${world.id}-before-5feceb66 does not exist. ` +
        `Safe: The instance in use was not touched. To go on: `,
    );
    expect(execution.cause).toContain('/docs/runbook.md#instance-recovery-failed');
    expect(execution.cause).not.toMatch(/["\n]/);
  });
});

test('an execution may take as long as all its waits together, and no longer', () => {
  const { definition } = new RecoveryWorld('billing');
  expect(definition.TimeoutSeconds).toBe((7 * HOUR + 2 * MINUTE + 2 * DAY + 3 * 16 * HOUR) / 1000);
  expect(new RecoveryWorld('main').definition.TimeoutSeconds).toBe(
    (28 * HOUR + 20 * MINUTE + DAY + 3 * 16 * HOUR) / 1000,
  );
});

test('the instances of a recovery log to groups that are encrypted and expire', async () => {
  const world = RecoveryWorld.inUse('billing');
  await world.recover();
  const names = ['recovered-5feceb66', 'before-5feceb66'].flatMap((instance) =>
    ['postgresql', 'upgrade'].map((log) => `/aws/rds/instance/${world.id}-${instance}/${log}`),
  );
  expect([...world.logGroups]).toEqual(names.map((name) => [name, 365]));
});
