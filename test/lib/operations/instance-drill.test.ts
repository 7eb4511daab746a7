import { DATABASE_NAMES } from '../../../core/contract';
import { BACKUP_POLICIES } from '../../../lib/config/policies';
import { HOUR, MINUTE } from '../../support/states/clock';
import { deployedDefinition } from '../../support/states/deployed-definition';
import { waysOut, type Execution, type ExecutionOptions } from '../../../local/states/interpreter';
import { RecoveryWorld } from '../../support/states/recovery-world';
import { statementsIn } from '../statements';
import { resourcesOf, templatesOf } from '../support';

const templates = templatesOf('production');
const definition = deployedDefinition(templates, 'BillingOps-production-instance-drill-billing');
const TARGET = BACKUP_POLICIES.billing.restoreTargetMinutes;
const IN_USE = Object.values(resourcesOf(templates.data, 'AWS::RDS::DBInstance')).find(({ Properties }) =>
  String(Properties.DBInstanceIdentifier).endsWith('-billing'),
)?.Properties;
const left = new Set<string>();
/** Each of the waits for RDS as long as the target, and the time for erasing people again. */
const LONGEST_HOURS = { billing: 4 + 16, main: 16 + 16 };

async function drill(world: RecoveryWorld, options: Partial<ExecutionOptions> = {}): Promise<Execution> {
  const execution = await world.run(definition, {}, options);
  for (const way of execution.left) left.add(way);
  return execution;
}

test('a drill restores the latest moment in the class in use, verifies it, removes it, and reports its time', async () => {
  const world = RecoveryWorld.inUse('billing');
  world.erasingCalls = 3;
  const hosts: (string | undefined)[] = [];
  const { verify } = world.functions;
  world.functions.verify = (request) => {
    hosts.push(request.host);
    return verify(request);
  };
  const { status, output } = await drill(world);

  expect([status, output]).toEqual(['SUCCEEDED', { minutes: expect.any(Number), targetMinutes: TARGET }]);
  expect((output as { minutes: number }).minutes).toBeLessThanOrEqual(TARGET);
  expect(world.rds.calls).toContainEqual(
    expect.objectContaining({
      action: 'restoreDBInstanceToPointInTime',
      arguments: expect.objectContaining({
        TargetDBInstanceIdentifier: expect.stringMatching(`^${world.id}-drill-`) as string,
        UseLatestRestorableTime: true,
        DbInstanceClass: IN_USE?.DBInstanceClass,
      }) as object,
    }),
  );
  expect(hosts).toEqual([expect.stringMatching(`^${world.id}-drill-.+rds`)]);
  expect(world.rds.identifiers).toEqual([world.id]);
  expect(world.events).toMatchObject([
    { type: 'Instance drill passed', detail: { database: 'billing', ...(output as object) } },
  ]);
});

test('a drill of which the database is not sound fails with what is wrong, and leaves no instance', async () => {
  const world = RecoveryWorld.inUse('billing');
  world.functions.verify = () => world.verified({ problems: [{ check: 'tables', message: 'one is missing' }] });
  const { status, error, cause } = await drill(world);

  expect([status, error]).toEqual(['FAILED', 'InstanceUnsound']);
  expect(cause).toMatch(/Safe: The instance in use was not touched.+#instance-drill-failed$/);
  world.clock.advance(10 * MINUTE);
  expect(world.rds.identifiers).toEqual([world.id]);
  expect(world.events).toEqual([]);
});

test('a drill that takes longer than the target fails once its instance is removed', async () => {
  const world = RecoveryWorld.inUse('billing');
  const { verify } = world.functions;
  world.functions.verify = (request) => {
    world.clock.advance(TARGET * MINUTE);
    return verify(request);
  };
  const { status, error, cause } = await drill(world);

  expect([status, error]).toEqual(['FAILED', 'InstanceDrillLate']);
  expect(cause).toContain(`the target is ${TARGET}`);
  expect(world.rds.identifiers).toEqual([world.id]);
});

test.each(DATABASE_NAMES)(
  'a drill of %s erases people again for 14 hours, and removes its instance itself',
  async (database) => {
    const world = RecoveryWorld.inUse(database);
    Object.assign(world, { erasingCalls: 56, erasingMs: 15 * MINUTE });
    const { status, error, startedAtMs } = await world.run(
      deployedDefinition(templates, `BillingOps-production-instance-drill-${database}`),
    );
    // Sound, but a recovery would have missed its target.
    expect([status, error]).toEqual(['FAILED', 'InstanceDrillLate']);
    expect(world.rds.identifiers).toEqual([world.id]);
    const [{ Input } = { Input: null }] = world.reminders;
    expect(Date.parse((Input as { removeAt: string }).removeAt)).toBeGreaterThan(
      startedAtMs + LONGEST_HOURS[database] * HOUR,
    );
  },
);

test('a drill that is stopped anywhere leaves the instance in use, and what removes the other one', async () => {
  const unwatched: string[] = [];
  for (const name of Object.keys(definition.States)) {
    const world = RecoveryWorld.inUse('billing');
    await drill(world, { abortAt: (state) => state === name });
    const [inUse, ...others] = world.rds.identifiers;
    if (inUse !== world.id || (others.length > 0 && world.reminders.length !== 1)) unwatched.push(name);
  }
  expect(unwatched).toEqual([]);
});

test('every way out of every state of the drill itself was taken', async () => {
  for (const state of ['Verify the recovered database', 'Report the drill']) {
    await drill(RecoveryWorld.inUse('billing'), { failAt: (each) => (each === state ? 'Refused' : undefined) });
  }
  const own = /^(Note the start|Verify|Is it sound|Was it in time|Report the drill|The drill passed)/;
  const ways = waysOut(definition).filter((way) => own.test(way) && !way.endsWith('States.DataLimitExceeded'));
  expect(ways.length).toBeGreaterThan(6);
  expect(ways.filter((way) => !left.has(way))).toEqual([]);
});

describe.each([
  ['billing', 'cron(0 11 10 1,4,7,10 ? *)'],
  ['main', 'cron(0 11 11 1,4,7,10 ? *)'],
] as const)('the drill of the %s instance', (database, quarterly) => {
  const title = database === 'billing' ? 'Billing' : 'Main';

  test('starts every quarter, and may call three functions and remove its own instances alone', () => {
    const { operations } = templates;
    const schedules = Object.entries(resourcesOf(operations, 'AWS::Scheduler::Schedule'));
    const [, schedule] = schedules.find(([id]) => id.startsWith(`${title}InstanceDrillSchedule`)) ?? [];
    expect(schedule?.Properties).toMatchObject({
      ScheduleExpression: quarterly,
      ScheduleExpressionTimezone: 'Etc/UTC',
      Target: { DeadLetterConfig: { Arn: expect.anything() }, RetryPolicy: { MaximumEventAgeInSeconds: 3600 } },
    });
    const [id] =
      Object.entries(resourcesOf(operations, 'AWS::StepFunctions::StateMachine')).find(
        ([, { Properties }]) => Properties.StateMachineName === `BillingOps-production-instance-drill-${database}`,
      ) ?? [];
    expect(schedule?.Properties.Target).toMatchObject({ Arn: { Ref: id } });
    const statements = statementsIn(operations).filter(({ of }) => of === `${title}InstanceDrillRoleDefaultPolicy`);
    const allowed = (action: string) =>
      statements.filter(({ actions }) => actions.includes(action)).flatMap(({ resources }) => resources);
    expect(allowed('lambda:InvokeFunction')).toHaveLength(3);
    expect(allowed('rds:DeleteDBInstance')).toEqual([
      `arn:aws:rds:eu-central-1:<account>:db:billing-operations-<env>-${database}-drill-*`,
    ]);
  });
});
