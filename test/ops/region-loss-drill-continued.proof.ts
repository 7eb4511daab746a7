import { GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { DescribeSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { DescribeExecutionCommand } from '@aws-sdk/client-sfn';
import { recordKey, type RegionDrill } from '../../ops/region-loss/drill-record';
import { Drill } from '../../ops/region-loss/drill-run';
import type { RegionLossReport } from '../../ops/region-loss/check';
import { type MockedDrill, sfn, startMockedDrill } from '../factories/mocked-drill';
import { ago, drillOf, lambda, secrets } from '../factories/second-region';
import { runOps } from './run-ops';

/** Drills that another run continues, at the same time or later, and workflows that restore for longer than a run lives. */
let world: MockedDrill;

beforeAll(() => {
  world = startMockedDrill();
});
afterAll(() => world.regions.stop());
beforeEach(() => world.plant());

/** The first restore of a run, in the middle of which something else is done. */
function duringRestore(work: () => Promise<unknown>): void {
  lambda.on(InvokeCommand).callsFake(async () => {
    world.restoreAnswers();
    await work();
    throw new Error('connection lost');
  });
}

test('a run whose drill another one has continued ends, and says so', async () => {
  let second: Awaited<ReturnType<MockedDrill['drill']>> | undefined;
  duringRestore(async () => (second = await world.drill('')));
  const first = await world.drill();
  expect([first.status, first.stderr]).toEqual([3, expect.stringMatching(/Another run has taken this drill over/)]);
  expect(second).toMatchObject({ status: 0, record: { outcome: 'passed', runs: 2 } });
  expect(await world.onRecord()).toEqual([second?.record]);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('a run whose drill was abandoned meanwhile ends, and leaves it closed', async () => {
  duringRestore(() => world.drill('--abandon --confirm dev2'));
  expect(await world.drill()).toMatchObject({ status: 3, stderr: expect.stringMatching(/has taken this drill over/) });
  expect((await world.onRecord()).map(({ outcome }) => outcome)).toEqual(['abandoned']);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('a run whose drill is taken over while it copies copies nothing more', async () => {
  const copying = jest.spyOn(Drill.prototype, 'assertOwn').mockImplementationOnce(async function (this: Drill) {
    await world.drill('--abandon --confirm dev2');
    copying.mockRestore();
    return this.assertOwn();
  });
  try {
    expect(await world.drill()).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/has taken this drill over/),
    });
  } finally {
    copying.mockRestore();
  }
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('a run whose drill is abandoned while it begins to clean up removes nothing', async () => {
  const Key = 'erasures/20261101T000000000Z-aa.json';
  let isRestored = false;
  secrets.on(DescribeSecretCommand).callsFake(async () => {
    if (isRestored) {
      isRestored = false;
      await world.drill('--abandon --confirm dev2');
      // The recovery that comes next has the same ledger.
      await world.regions.s3.send(new PutObjectCommand({ Bucket: world.successor, Key, Body: '{}' }));
    }
    return { VersionIdsToStages: { [world.secret.current]: ['AWSCURRENT'] } };
  });
  lambda.on(InvokeCommand).callsFake((call: { Payload: string }) => {
    isRestored = world.restores().length === 2;
    return world.answerOf(call);
  });
  expect(await world.drill()).toMatchObject({ status: 3, stderr: expect.stringMatching(/has taken this drill over/) });
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[Key], 'own']);
});

test('a drill that was interrupted after it had put the key back uses its own key again', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  world.secret.current = 'own';
  const used = new Set<string | undefined>();
  lambda.on(InvokeCommand).callsFake((call: { Payload: string }) => {
    used.add(world.secret.values[world.secret.current]);
    return world.answerOf(call);
  });
  const { status, record } = await world.drill('');
  expect([status, record?.outcome, [...used]]).toEqual([0, 'passed', ['{"key":"of dev"}']]);
  expect([Object.keys(world.secret.values).length, world.secret.current]).toEqual([2, 'own']);
});

const plantRunning = async (startedAt: string): Promise<void> => {
  const record = { ...(JSON.parse(drillOf(1, 'running')) as RegionDrill), startedAt, endedAt: null };
  const { s3 } = world.regions;
  const Key = recordKey(startedAt);
  await s3.send(new PutObjectCommand({ Bucket: world.there.copies, Key, Body: JSON.stringify(record) }));
};

test('a drill is not continued beside another one that has not ended', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  await plantRunning(ago(1).toISOString());
  const { status, stderr } = await world.drill('');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/ana began a drill into dev2 at the same time/)]);
  expect(world.restores()).toHaveLength(1);
});

test('a drill that was interrupted before it made anything is abandoned without a question', async () => {
  await plantRunning(ago(1).toISOString());
  expect(await world.drill('--abandon')).toMatchObject({ status: 0, record: { outcome: 'abandoned' } });
});

test('the check names the last step of a drill that has not ended, which may still run', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  const { stdout } = await runOps(['region-loss', 'check', '--json', '--env', 'dev']);
  const { findings } = JSON.parse(stdout) as RegionLossReport;
  expect(findings.at(-1)).toEqual({
    check: 'drill',
    state: 'wrong',
    detail: expect.stringMatching(
      /^that into dev2 of .+ ago\) has not ended: its last step was restore billing, .+ ago\)$/,
    ) as string,
    fix: expect.stringMatching(
      /^unless 1{12}:assumed-role\/operator\/ana still runs it: ops region-loss drill --into dev2/,
    ) as string,
  });
});

test('of two drills that begin at once, one makes nothing', async () => {
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  secrets.on(GetSecretValueCommand, { SecretId: 'arn:dev2-erasures' }).callsFake(async () => {
    held.resolve();
    await released.promise;
    return { SecretString: world.secret.values.own, VersionId: 'own' };
  });
  const variables = { ARCHIVE_BUCKET: world.successor, ERASURE_KEY_SECRET_ARN: 'arn:dev2-erasures' };
  let rival: ReturnType<MockedDrill['drill']> | undefined;
  lambda.on(GetFunctionConfigurationCommand, { FunctionName: 'BillingOps-dev2-restore' }).callsFake(async () => {
    // Each has found no other by now. The rival is on record before this one is, and has copied nothing yet.
    if (rival === undefined) {
      rival = world.drill();
      await held.promise;
    }
    return { Environment: { Variables: variables } };
  });
  expect(await world.drill()).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/ana began a drill into dev2/),
  });
  released.resolve();
  expect(await rival).toMatchObject({ status: 0, record: { outcome: 'passed', runs: 1 } });
  expect((await world.onRecord()).map(({ outcome }) => outcome).toSorted()).toEqual(['abandoned', 'passed']);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

const executionIs = (status: 'RUNNING' | 'FAILED' | 'SUCCEEDED') =>
  sfn.on(DescribeExecutionCommand).resolves({
    status,
    output: JSON.stringify({ tables: 3, rows: 70, rowsErased: 5, deviations: [], schemaDifferences: [], slot: 's' }),
    startDate: new Date('2026-11-30T00:00:00Z'),
    stopDate: new Date('2026-11-30T02:00:00Z'),
  });

/** A drill that was interrupted while a workflow restores billing. */
async function interruptedInWorkflow(): Promise<void> {
  world.restoreAnswers({ outcome: 'started', execution: 'arn:execution', rows: 0, rowsErased: 0 });
  sfn.on(DescribeExecutionCommand).rejectsOnce(new Error('connection lost'));
  expect((await world.drill()).status).toBe(4);
  const execution = { database: 'billing', archive: world.there.planted.billing.slot, arn: 'arn:execution' };
  expect(await world.onRecord()).toMatchObject([{ outcome: 'running', executions: [execution] }]);
}
const restoresOf = (name: string) => world.restores().filter(({ request }) => request.database === name);

test('an archive that a workflow restores is waited for, and timed by it', async () => {
  world.restoreAnswers({ outcome: 'started', execution: 'arn:execution', rows: 0, rowsErased: 0 });
  executionIs('SUCCEEDED');
  const { record } = await world.drill();
  expect(record?.restored.map(({ rows, rowsErased, durationMs }) => [rows, rowsErased, durationMs])).toEqual([
    [70, 5, 7_200_000],
    [70, 5, 7_200_000],
  ]);
  expect(record?.executions).toEqual([]);
});

test('a workflow that an interrupted run started is waited for, not started again', async () => {
  await interruptedInWorkflow();
  executionIs('SUCCEEDED');
  world.restoreAnswers();
  const { status, record } = await world.drill('');
  expect([status, restoresOf('billing').length, record?.executions]).toEqual([0, 1, []]);
  expect(record?.restored[0]).toMatchObject({ archive: world.there.planted.billing.slot, durationMs: 7_200_000 });
  // The run that ended has seen its last moment alone.
  expect(record?.rto?.measuredMs).toBeGreaterThanOrEqual(7_200_000);
});

test.each([
  ['failed', () => executionIs('FAILED'), 4],
  [
    'is gone',
    () => sfn.on(DescribeExecutionCommand).rejects(Object.assign(new Error('no'), { name: 'ExecutionDoesNotExist' })),
    0,
  ],
])('a workflow that %s is followed by another restore', async (_what, answer, status) => {
  await interruptedInWorkflow();
  answer();
  world.restoreAnswers();
  expect((await world.drill('')).status).toBe(status);
  // The run that reported a failure starts nothing; the next one does.
  if (status !== 0) expect((await world.drill('')).status).toBe(0);
  expect(restoresOf('billing')).toHaveLength(2);
});

test('nothing is taken back under a workflow that restores', async () => {
  await interruptedInWorkflow();
  executionIs('RUNNING');
  const { status, stderr } = await world.drill('--abandon --confirm dev2');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/billing is being restored by arn:execution/)]);
  expect(await world.keysOf(world.successor)).toHaveLength(7);
  executionIs('FAILED');
  expect((await world.drill('--abandon --confirm dev2')).status).toBe(0);
  expect(await world.onRecord()).toMatchObject([{ outcome: 'abandoned', executions: [] }]);
  expect(await world.keysOf(world.successor)).toEqual([]);
});

test('a drill in several runs has the longest deployment and all copies in its time', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  const [left] = (await world.onRecord()) as [RegionDrill];
  const took = (step: string, durationMs: number, done = true, detail = '') => ({
    step,
    startedAt: left.startedAt,
    durationMs,
    detail,
    done,
  });
  left.steps = [
    took('check', 70_000),
    took('deploy', 600_000, true, 'deployed in eu-west-1'),
    took('deploy', 900_000, false, 'deployed in eu-west-1'),
    took('key of erasures', 50_000),
    took('copy', 4_000, false),
    took('copy', 3_000),
    took('restore billing', 800_000, false),
    took('restore main', 20_000),
  ];
  const Key = recordKey(left.startedAt);
  await world.regions.s3.send(new PutObjectCommand({ Bucket: world.there.copies, Key, Body: JSON.stringify(left) }));
  world.restoreAnswers({ durationMs: 100_000 });
  const { record } = await world.drill('');
  const copied = record?.steps.findLast(({ step }) => step === 'copy')?.durationMs ?? Number.NaN;
  const measuredMs = 600_000 + 50_000 + (4_000 + 3_000 + copied) + 100_000 + 100_000;
  // What no drill does takes 50 minutes; of the deployment, the first run has seen how long it takes.
  expect(record?.rto).toEqual({
    measuredMs,
    estimatedMinutes: expect.not.objectContaining({ deploy: expect.anything() as unknown }) as unknown,
    totalMinutes: 50 + Math.ceil(measuredMs / 60_000),
  });
});
