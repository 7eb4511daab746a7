import { DATABASE_NAMES } from '../../../core/contract';
import { templatesOf } from '../support';
import { VirtualClock } from '../../support/states/clock';
import { deployedDefinition } from '../../support/states/deployed-definition';
import { StatesError } from '../../../local/states/errors';
import { execute } from '../../../local/states/interpreter';
import { RecoveryWorld } from '../../support/states/recovery-world';
import { textOf } from '../../../local/states/text';

/** The states of an undisturbed recovery that stand outside of Map. */
async function statesOf(database: (typeof DATABASE_NAMES)[number]): Promise<string[]> {
  const world = RecoveryWorld.inUse(database);
  const { states } = await world.recover();
  return [...new Set(states)].filter((name) => name in world.definition.States);
}

describe.each(DATABASE_NAMES)('a recovery of %s that is stopped', (database) => {
  test('in whatever state ends with another start: with the recovered instance once there is one', async () => {
    const states = await statesOf(database);
    expect(states.length).toBeGreaterThan(30);
    for (const stopped of states) {
      const world = RecoveryWorld.inUse(database);
      expect([stopped, (await world.recover({}, { abortAt: (state) => state === stopped })).status]).toEqual([
        stopped,
        'ABORTED',
      ]);
      const restored = world.rds.calls.some(({ action }) => action.startsWith('restore'));
      const again = await world.recover(restored ? { recoveredInstance: world.recovered } : {});
      expect([stopped, again.status, again.cause]).toEqual([stopped, 'SUCCEEDED', undefined]);
      expect([stopped, world.rds.find(world.id).data]).toEqual([stopped, 'live data at the latest time']);
      const [{ formerInstance } = {}] = world.eventsOf('completed').toReversed();
      expect([stopped, new Set(world.rds.identifiers)]).toEqual([stopped, new Set([world.id, formerInstance])]);
      const served = database === 'billing' ? 'live data at the latest time' : undefined;
      expect([stopped, world.rds.servedByProxy]).toEqual([stopped, served]);
    }
  });

  test('at any call that RDS refuses for good says what exists, what is safe, and how to go on', async () => {
    const world = RecoveryWorld.inUse(database);
    await world.recover();
    const calls = [...new Set(world.rds.calls.map(({ action }) => action))];
    for (const action of calls) {
      const broken = RecoveryWorld.inUse(database);
      broken.rds.fail(action, 'Rds.AccessDeniedException', 1);
      const { status, cause } = await broken.recover();
      expect([action, status, cause]).toEqual([
        action,
        'FAILED',
        expect.stringMatching(/^State: .*Cause: Rds\.AccessDenied.*Exists now: .*Safe: .*To go on: .*Runbook: /),
      ]);
    }
  });
});

test('a recovered instance that does not exist is named after three minutes', async () => {
  const world = RecoveryWorld.inUse('billing');
  const execution = await world.recover({ recoveredInstance: `${world.id}-recovered-00000000` });
  expect(execution).toMatchObject({ status: 'FAILED', error: 'InstanceMissing' });
  expect(execution.endedAtMs - execution.startedAtMs).toBeLessThan(5 * 60_000);
});

describe('the reminder of what a recovery leaves behind', () => {
  const definition = deployedDefinition(templatesOf('production'), 'BillingOps-production-recovery-leftovers-billing');

  /** Runs it over instances that exist until a day. */
  async function remind(untilDay: Readonly<Record<string, number>>) {
    const clock = new VirtualClock('2026-11-21T12:00:00Z');
    const startedAtMs = clock.nowMs;
    const day = () => (clock.nowMs - startedAtMs) / 86_400_000;
    const reports: unknown[] = [];
    const execution = await execute(definition, {
      clock,
      input: { instances: Object.keys(untilDay) },
      services: {
        'arn:aws:states:::aws-sdk:rds:describeDBInstances': ({ DbInstanceIdentifier: identifier }) => {
          if ((untilDay[textOf(identifier)] ?? 0) > day()) return { DbInstances: [{ DbInstanceStatus: 'available' }] };
          throw new StatesError('Rds.DbInstanceNotFoundException', 'not found');
        },
        'arn:aws:states:::events:putEvents': ({ Entries }) => {
          const [{ DetailType, Detail } = {}] = Entries as unknown as Record<string, unknown>[];
          reports.push([day(), DetailType, (Detail as { instances: string }).instances]);
          return {};
        },
      },
    });
    return { execution, reports };
  }

  test('reports week by week what still exists, and ends with the last', async () => {
    const { execution, reports } = await remind({ recovered: 0, former: 10 });
    expect(reports).toEqual([[7, 'Instance recovery left instances behind', 'former']]);
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    expect((await remind({ recovered: 10, former: 20 })).reports).toEqual([
      [7, 'Instance recovery left instances behind', 'recovered, former'],
      [14, 'Instance recovery left instances behind', 'former'],
    ]);
  });

  test('is not asked for again where one of its name has ended', async () => {
    const world = RecoveryWorld.inUse('billing');
    world.remindersEnded = true;
    expect(await world.recover()).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.reminderCalls).toBe(1);
  });

  test('is started by every recovery, with the names that it may leave behind', async () => {
    const world = RecoveryWorld.inUse('billing');
    const { output } = await world.recover();
    expect(world.reminders).toEqual([
      {
        StateMachineArn: 'arn:of:BillingOps-production-recovery-leftovers-billing',
        Name: world.recovered,
        Input: {
          environment: 'production',
          database: 'billing',
          instances: [world.recovered, (output as { former: string }).former],
        },
      },
    ]);
  });
});
