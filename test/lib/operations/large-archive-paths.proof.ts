import type { InstanceSettings } from '../../../lib/data/database';
import { largeArchiveDefinition } from '../../../lib/operations/recovery/large-archive-states';
import { DAY, HOUR, MINUTE } from '../../support/states/clock';
import type { Definition, JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';
import { type Execution, type ExecutionOptions, waysOut } from '../../../local/states/interpreter';
import { ArchiveWorld } from '../../support/states/archive-world';

const ID = 'billing-operations-production-main';
const DEFINITION = largeArchiveDefinition({
  environmentName: 'production',
  database: 'main',
  purpose: 'archive',
  settings: { instanceIdentifier: ID, subnetGroupName: ID, parameterGroupName: `${ID}-postgres17` } as InstanceSettings,
  securityGroupId: 'sg-1',
  instanceClass: 'db.m7g.large',
  resetPasswordFunctionArn: 'arn:of:BillingOps-production-reset-password',
  backupFunctionArn: 'arn:of:BillingOps-production-backup',
  expiryArn: 'arn:of:expiry',
  targetMinutes: 240,
  runbookUrl: 'https://runbook',
  concurrentParts: 4,
}) as unknown as Definition;
const INPUT = {
  slot: '2026-11-21T06:00:00Z',
  snapshotArn: 'arn:aws:rds:x:1:snapshot:job',
  takenAt: '2026-11-21T00:04:00Z',
};

const left = new Set<string>();

async function run(world: ArchiveWorld, input: JsonObject = INPUT, options: Partial<ExecutionOptions> = {}) {
  const execution: Execution = await world.archive(DEFINITION, input, options);
  for (const way of execution.left) left.add(way);
  return execution;
}

test('an archive is made of a recovery point: restored, planned, copied part by part, published, and removed', async () => {
  const world = new ArchiveWorld();
  const execution = await run(world);
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'created' } });
  const host = `${world.recovered}.example.rds.amazonaws.com`;
  const { slot } = INPUT;
  const recoveryPoint = { snapshot: INPUT.snapshotArn, takenAt: INPUT.takenAt };
  const common = { database: 'main', slot, host };
  expect(world.steps).toEqual([
    { step: 'plan', ...common, recoveryPoint },
    ...world.parts.map((part) => ({ step: 'part', ...common, attempt: world.attempt, part })),
    { step: 'publish', ...common, attempt: world.attempt },
  ]);
  expect(world.rds.calls).toContainEqual(
    expect.objectContaining({
      action: 'restoreDBInstanceFromDBSnapshot',
      arguments: expect.objectContaining({
        DbSnapshotIdentifier: INPUT.snapshotArn,
        DbInstanceIdentifier: expect.stringMatching(`^${ID}-archive-`) as string,
        DbInstanceClass: 'db.m7g.large',
        PubliclyAccessible: false,
      }) as object,
    }),
  );
  expect(world.rds.identifiers).toEqual([ID]);
});

test('a part is copied again when its connection is lost, when it runs out of time, and when Lambda has no room', async () => {
  const world = new ArchiveWorld();
  const failures = ['CopyFailed', 'Sandbox.Timedout', ...Array<string>(15).fill('Lambda.TooManyRequestsException')];
  world.onStep = ({ step }) => {
    const error = step === 'part' ? failures.shift() : undefined;
    if (error !== undefined) throw new StatesError(error, 'as told');
  };
  expect(await run(world)).toMatchObject({ status: 'SUCCEEDED' });
  expect(world.rds.identifiers).toEqual([ID]);
});

test.each<JsonObject>([{}, { slot: 1, snapshotArn: 'a', takenAt: 'b' }, { snapshotArn: 'a', takenAt: 'b' }])(
  'a request that lacks something is refused before anything is made: %p',
  async (input) => {
    const world = new ArchiveWorld();
    const { error, cause } = await run(world, input);
    expect(error).toBe('RequestRefused');
    expect(cause).toContain('Safe: Nothing was made.');
    expect(world.rds.calls.filter(({ action }) => action.startsWith('restore'))).toEqual([]);
  },
);

const steps = (wanted: string, error: string) => (world: ArchiveWorld) => {
  world.onStep = ({ step }) => {
    if (step === wanted) throw new StatesError(error, 'as told');
  };
};
test.each<[string, string, (world: ArchiveWorld) => Partial<ExecutionOptions> | void]>([
  ['the plan is refused', 'DatabaseInUse', steps('plan', 'DatabaseInUse')],
  ['a part fails for good', 'States.ExceedToleratedFailureThreshold', steps('part', 'PrivilegeMissing')],
  ['a part never succeeds', 'States.ExceedToleratedFailureThreshold', steps('part', 'CopyFailed')],
  ['the list of parts cannot be read', 'States.ItemReaderFailed', (world) => void (world.readList = () => 'no list')],
  ['the archive is refused', 'DatabaseChanged', steps('publish', 'DatabaseChanged')],
  [
    'the password cannot be set',
    'Refused',
    () => ({ failAt: (state) => (/password/.test(state) ? 'Refused' : undefined) }),
  ],
  [
    'the snapshot cannot be restored',
    'Rds.DbSnapshotNotFoundException',
    ({ rds }) => rds.fail('restoreDBInstanceFromDBSnapshot', 'Rds.DbSnapshotNotFoundException', 1),
  ],
])('when %s, the execution says what exists and costs, and removes the instance', async (_, error, arrange) => {
  const world = new ArchiveWorld();
  const execution = await run(world, INPUT, arrange(world) ?? {});
  expect(execution).toMatchObject({ status: 'FAILED', error });
  expect(execution.cause).toMatch(
    /^State: .+ Exists now: .+ Safe: The instance in use was not touched.+ Runbook: https:\/\/runbook#large-archive-failed$/,
  );
  world.clock.advance(10 * MINUTE);
  expect(world.rds.identifiers).toEqual([ID]);
});

test('the removal that fails says so, though the archive is published, and the expiry removes the instance', async () => {
  const world = new ArchiveWorld();
  const failAt = (state: string) =>
    ['Remove the temporary instance', 'Delete what was made'].includes(state) ? 'Rds.Refused' : undefined;
  const { status, cause } = await run(world, INPUT, { failAt });
  expect(status).toBe('FAILED');
  expect(cause).toContain(`${world.recovered} could not be deleted`);
  expect(world.steps.at(-1)).toMatchObject({ step: 'publish' });
  expect(world.reminders).toMatchObject([
    {
      Input: {
        purpose: 'archive',
        remindAt: new Date(Date.parse('2026-11-21T12:00:00Z') + DAY).toISOString(),
        removeAt: new Date(Date.parse('2026-11-21T12:00:00Z') + 3 * DAY + HOUR).toISOString(),
      },
    },
  ]);
});

test('an execution that is stopped anywhere has published nothing, or everything', async () => {
  const names = [...Object.keys(DEFINITION.States), 'Copy one part'];
  for (const name of names) {
    const world = new ArchiveWorld();
    const { status } = await run(world, INPUT, { abortAt: (state, visit) => state === name && visit === 1 });
    const published = world.steps.some(({ step }) => step === 'publish');
    if (published) expect(world.steps.filter(({ step }) => step === 'part')).toHaveLength(world.parts.length);
    if (status === 'ABORTED' && world.rds.identifiers.length > 1) expect(world.reminders).toHaveLength(1);
  }
});

test('every way out of every state of the archive itself was taken', () => {
  const own = /^(Note|Check the request|Plan|Copy|Publish|Archived)/;
  const ways = waysOut(DEFINITION).filter((way) => own.test(way) && !way.endsWith('States.DataLimitExceeded'));
  expect(ways.length).toBeGreaterThan(8);
  expect(ways.filter((way) => !left.has(way))).toEqual([]);
});
