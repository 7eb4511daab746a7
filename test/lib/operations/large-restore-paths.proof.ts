import { largeRestoreDefinition } from '../../../lib/operations/recovery/large-restore-states';
import { MINUTE } from '../../support/states/clock';
import type { Definition, JsonObject } from '../../../local/states/definition';
import { StatesError } from '../../../local/states/errors';
import { type Execution, type ExecutionOptions, waysOut } from '../../../local/states/interpreter';
import { drilled, RestoreWorld } from '../../support/states/restore-world';

const DEFINITION = largeRestoreDefinition({
  database: 'main',
  restoreFunctionArn: 'arn:of:BillingOps-production-restore',
  drillFunctionArn: 'arn:of:BillingOps-production-drill',
  concurrentParts: 4,
  runbookUrl: 'https://runbook',
}) as unknown as Definition;
const SLOT = '2026-11-21T06:00:00Z';
const INPUT = { request: { archive: SLOT, targetDatabase: 'main_before' }, afterwards: 'keep' };

const left = new Set<string>();

async function run(world: RestoreWorld, input: JsonObject = INPUT, options: Partial<ExecutionOptions> = {}) {
  const execution: Execution = await world.restore(DEFINITION, input, options);
  for (const way of execution.left) left.add(way);
  return execution;
}

const failing = (step: string, ...errors: string[]) => {
  const world = new RestoreWorld();
  world.onStep = (request) => {
    const error = request.step === step ? errors.shift() : undefined;
    if (error !== undefined) throw new StatesError(error, 'as told');
  };
  return world;
};
const forGood = (step: string, error: string) => failing(step, ...Array<string>(100).fill(error));

test('an archive is restored in steps: prepared, loaded, indexed, completed, proven, and released', async () => {
  const world = new RestoreWorld();
  const execution = await run(world);
  expect(execution).toMatchObject({
    status: 'SUCCEEDED',
    output: { slot: SLOT, targetDatabase: 'main_before', foreignKeysValidated: 1 },
  });
  const restoring = {
    database: 'main',
    slot: SLOT,
    manifestSha256: '0'.repeat(64),
    name: 'restoring_main_20261121t120000z',
  };
  const startedAt = '2026-11-21T12:00:00.000Z';
  expect(world.steps).toEqual([
    { step: 'prepare', database: 'main', ...INPUT.request, startedAt },
    { step: 'load', ...restoring, number: 0 },
    { step: 'load', ...restoring, number: 1 },
    { step: 'index', ...restoring, number: 0 },
    { step: 'complete', ...restoring },
    { step: 'prove', ...restoring },
    { step: 'release', ...restoring, targetDatabase: 'main_before', afterwards: 'keep', startedAt },
  ]);
});

test('what takes longer than a call is asked for again until it is done', async () => {
  const world = new RestoreWorld();
  const { answerStep } = world;
  const asked = new Map<string, number>();
  world.answerStep = async (request) => {
    const times = (asked.get(request.step) ?? 0) + 1;
    asked.set(request.step, times);
    const report = await answerStep(request);
    return 'done' in report ? { ...report, done: times === 3 } : report;
  };
  expect(await run(world)).toMatchObject({ status: 'SUCCEEDED' });
  expect([asked.get('index'), asked.get('complete'), asked.get('prove')]).toEqual([3, 3, 3]);
});

test.each(['prepare', 'load', 'index', 'complete', 'prove', 'release'])(
  'the step %s is repeated when it is cut off, and when the database is away',
  async (step) => {
    const world = failing(step, 'Sandbox.Timedout', 'DatabaseUnavailable', 'Lambda.TooManyRequestsException');
    expect(await run(world)).toMatchObject({ status: 'SUCCEEDED' });
    expect(world.steps.filter((one) => one.step === 'discard')).toEqual([]);
  },
);

test.each([
  ['prepare', 'TargetExists', 'TargetExists'],
  ['load', 'ArchiveDamaged', 'States.ExceedToleratedFailureThreshold'],
  ['index', 'ArchiveInconsistent', 'States.ExceedToleratedFailureThreshold'],
  ['complete', 'SchemaNotApplied', 'SchemaNotApplied'],
  ['prove', 'SchemaNotApplied', 'SchemaNotApplied'],
  ['release', 'TargetExists', 'TargetExists'],
])('when %s fails for good, the database is dropped and the execution says so', async (step, error, reported) => {
  const world = forGood(step, error);
  const execution = await run(world);
  expect(execution).toMatchObject({ status: 'FAILED', error: reported });
  expect(execution.cause).toMatch(
    /^State: .+ Exists now: restoring_main_20261121t120000z was dropped\. Safe: The database in use was not touched.+ Runbook: https:\/\/runbook#large-archive-failed$/,
  );
  expect(world.steps.at(-1)).toMatchObject({ step: 'discard', startedAt: '2026-11-21T12:00:00.000Z' });
});

test('when the database cannot be dropped either, the execution says what is left', async () => {
  const world = forGood('complete', 'SchemaNotApplied');
  const { onStep } = world;
  world.onStep = (request) => {
    if (request.step === 'discard') throw new StatesError('Refused', 'as told');
    onStep(request);
  };
  const { status, cause } = await run(world);
  expect(status).toBe('FAILED');
  expect(cause).toContain('could not be dropped (Refused), and the next one drops it after a day');
});

const DRILL = {
  request: { archive: SLOT, targetDatabase: 'drill_main_20261121t115958z', purpose: 'drill' },
  afterwards: 'drop',
};

test('a drill of an archive takes the same steps, and is recorded with the moment of its proof instead of released', async () => {
  const world = new RestoreWorld();
  const execution = await run(world, DRILL);
  const startedAt = '2026-11-21T12:00:00.000Z';
  expect(world.steps[0]).toEqual({ step: 'prepare', database: 'main', ...DRILL.request, startedAt });
  const steps = ['prepare', 'load', 'load', 'index', 'complete', 'prove', 'record'];
  expect(world.steps.map(({ step }) => step)).toEqual(steps);
  expect(world.steps.at(-1)).toEqual({
    step: 'record',
    database: 'main',
    slot: SLOT,
    manifestSha256: '0'.repeat(64),
    startedAt,
    finishedAt: '2026-11-21T12:06:00.000Z',
  });
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'passed', durationMs: 6 * MINUTE } });
});

test('the record waits while another drill holds the function, and its moment of proof stays', async () => {
  const world = failing('record', ...Array<string>(40).fill('Lambda.TooManyRequestsException'));
  expect(await run(world, DRILL)).toMatchObject({ status: 'SUCCEEDED', output: { durationMs: 6 * MINUTE } });
  expect(world.clock.nowMs - Date.parse('2026-11-21T12:00:00Z')).toBeGreaterThan(21 * MINUTE);
});

test.each([
  ['prepare', 'DiskFull'],
  ['load', 'ArchiveDamaged'],
  ['index', 'ArchiveInconsistent'],
  ['complete', 'SchemaNotApplied'],
  ['prove', 'SchemaNotApplied'],
  ['record', 'DatabaseUnproven'],
])('when %s fails for good in a drill, the drill is recorded as failed, and dropped', async (step, error) => {
  const world = forGood(step, error);
  const execution = await run(world, DRILL);
  expect(execution.status).toBe('FAILED');
  expect(execution.cause).toMatch(
    /Exists now: the drill on record as failed; drilling_main_20261121t120000z was dropped\. .+ start the same drill again\./,
  );
  expect(world.steps.at(-1)).toEqual({
    step: 'fail',
    database: 'main',
    startedAt: '2026-11-21T12:00:00.000Z',
    error: execution.error,
    cause: expect.stringMatching(/./) as string,
    execution: expect.stringContaining(':execution:') as string,
  });
  expect(world.steps.filter((one) => one.step === 'discard')).toEqual([]);
});

test('a drill that is refused because another one is under way is not recorded, and drops nothing', async () => {
  const { status, error, cause } = await run(forGood('prepare', 'DrillRunning'), DRILL);
  expect([status, error]).toEqual(['FAILED', 'DrillRunning']);
  expect(cause).toContain('Exists now: nothing of this drill, which is not recorded. Safe: ');
});

test('when a drill that passed cannot be dropped at first, the execution says what is on record', async () => {
  const world = forGood('record', 'Unexpected');
  world.answerDrill = (request) => {
    const report = drilled(request);
    return { ...report, record: { ...report.record, outcome: 'passed' } };
  };
  const { status, cause } = await run(world, DRILL);
  expect(status).toBe('FAILED');
  expect(cause).toContain('Exists now: the drill on record as passed; drilling_main_20261121t120000z was dropped.');
});

test('when a failed drill cannot be recorded, the execution says that a later one does it', async () => {
  const world = forGood('prove', 'SchemaNotApplied');
  const { onStep } = world;
  world.onStep = (request) => {
    if (request.step === 'fail') throw new StatesError('Refused', 'as told');
    onStep(request);
  };
  const { status, error, cause } = await run(world, DRILL);
  expect([status, error]).toEqual(['FAILED', 'SchemaNotApplied']);
  expect(cause).toContain(
    'perhaps the database of the drill, or no record of it (Refused): the next drill drops and records it',
  );
});

test('every way out of every state was taken', () => {
  const ways = waysOut(DEFINITION).filter((way) => !way.endsWith('States.DataLimitExceeded'));
  expect(ways.length).toBeGreaterThan(10);
  expect(ways.filter((way) => !left.has(way))).toEqual([]);
});
