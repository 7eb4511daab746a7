import { InvokeCommand } from '@aws-sdk/client-lambda';
import { CopyObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { DescribeExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { type MockedDrill, sfn, startMockedDrill } from '../factories/mocked-drill';
import { lambda, secrets } from '../factories/second-region';

/** What a run makes after another one has taken its drill over: it was sent before, and is done later. */
let world: MockedDrill;

beforeAll(() => {
  world = startMockedDrill();
});
afterAll(() => world.regions.stop());
beforeEach(() => world.plant());
afterEach(() => jest.restoreAllMocks());

const TAKEN = { status: 3, stderr: expect.stringMatching(/Another run has taken this drill over/) as string };

/** Holds the first object that is copied, until something else is done. */
function beforeFirstCopy(work: () => Promise<unknown>): void {
  const send = Reflect.get(S3Client.prototype, 'send') as (this: S3Client, ...given: unknown[]) => Promise<unknown>;
  let isHeld = false;
  jest.spyOn(S3Client.prototype, 'send').mockImplementation(async function (this: S3Client, ...given: unknown[]) {
    if (given[0] instanceof CopyObjectCommand && !isHeld) {
      isHeld = true;
      await work();
    }
    return send.apply(this, given);
  } as never);
}

test('an object that is copied after another run abandoned the drill is removed again', async () => {
  beforeFirstCopy(() => world.drill('--abandon --confirm dev2'));
  expect(await world.drill()).toMatchObject(TAKEN);
  expect((await world.onRecord()).map(({ outcome }) => outcome)).toEqual(['abandoned']);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('an object that is copied while another run continues the drill is left to that one', async () => {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  lambda.on(InvokeCommand).callsFake(async (call: { Payload: string }) => {
    reached.resolve();
    await released.promise;
    return world.answerOf(call);
  });
  let other: ReturnType<MockedDrill['drill']> | undefined;
  beforeFirstCopy(async () => {
    other = world.drill('');
    await reached.promise;
  });
  expect(await world.drill()).toMatchObject(TAKEN);
  expect(await world.keysOf(world.successor)).toHaveLength(7);
  released.resolve();
  expect(await other).toMatchObject({ status: 0, record: { outcome: 'passed', runs: 2 } });
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('a key that is put after another run abandoned the drill is taken back', async () => {
  secrets.on(PutSecretValueCommand).callsFake(async ({ ClientRequestToken: id = '', SecretString: value = '' }) => {
    await world.drill('--abandon --confirm dev2');
    world.secret = { values: { ...world.secret.values, [id]: value }, current: id };
    return {};
  });
  expect(await world.drill()).toMatchObject(TAKEN);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('a workflow that was started after another run abandoned the drill is stopped', async () => {
  sfn.on(StopExecutionCommand).resolves({});
  lambda.on(InvokeCommand).callsFake(async (call: { Payload: string }) => {
    await world.drill('--abandon --confirm dev2');
    return world.answerOf(call, { outcome: 'started', execution: 'arn:execution', rows: 0, rowsErased: 0 });
  });
  const { status, stderr } = await world.drill();
  expect({ status, stderr }).toEqual(TAKEN);
  expect(stderr).toMatch(/^Stopped arn:execution, which was restoring billing$/m);
  expect(sfn.commandCalls(StopExecutionCommand).map(({ args }) => args[0].input)).toMatchObject([
    { executionArn: 'arn:execution' },
  ]);
});

test('a workflow that cannot be stopped is named with the command that stops it', async () => {
  sfn.on(StopExecutionCommand).rejects(Object.assign(new Error('no'), { name: 'AccessDeniedException' }));
  lambda.on(InvokeCommand).callsFake(async (call: { Payload: string }) => {
    await world.drill('--abandon --confirm dev2');
    return world.answerOf(call, { outcome: 'started', execution: 'arn:execution', rows: 0, rowsErased: 0 });
  });
  expect((await world.drill()).stderr).toMatch(
    /^Not allowed to stop arn:execution.* Stop it: aws stepfunctions stop-execution --execution-arn arn:execution$/m,
  );
});

test.each([
  [
    'FAILED',
    '{}',
    /^error: The restore of billing ended as FAILED: disk full\. ops runs --env dev2 says at which step/m,
  ],
  [
    'SUCCEEDED',
    '{"tables":1}',
    /^error: arn:execution restored billing and reported it in another form \(rows\): deploy/m,
  ],
  ['SUCCEEDED', 'no JSON', /^error: arn:execution restored billing and reported it in another form \(\): deploy/m],
] as const)('a workflow that ended as %s with %s says what to do', async (status, output, message) => {
  world.restoreAnswers({ outcome: 'started', execution: 'arn:execution', rows: 0, rowsErased: 0 });
  sfn.on(DescribeExecutionCommand).resolves({ status, output, ...(status === 'FAILED' ? { cause: 'disk full' } : {}) });
  const { status: exit, stderr } = await world.drill();
  expect([exit, stderr]).toEqual([4, expect.stringMatching(message)]);
});
