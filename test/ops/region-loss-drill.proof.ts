import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
} from '@aws-sdk/client-secrets-manager';
import { plantArchive } from '../factories/copied-archive';
import { DEPLOYED, type MockedDrill, startMockedDrill } from '../factories/mocked-drill';
import { CLOCKS, cloudFormation, lambda, pointsAre, secrets, stacksAre, stacksOf } from '../factories/second-region';
import { createManifestKey } from '../support/archive-key';
import { runOps } from './run-ops';

/** The drill's order, what it leaves and takes back; the restore itself is proven by test/scenarios/region-loss.proof.ts. */
let world: MockedDrill;

beforeAll(() => {
  world = startMockedDrill();
});
afterAll(() => world.regions.stop());
beforeEach(() => world.plant());

test('a drill restores both databases in the second region, times each step, and leaves only its record', async () => {
  const seen: unknown[] = [];
  secrets.on(DescribeSecretCommand).callsFake(async () => {
    // After it was put, and before it is put back.
    seen.push(world.secret.values[world.secret.current]);
    return { VersionIdsToStages: { [world.secret.current]: ['AWSCURRENT'] } };
  });
  const { status, record, stderr } = await world.drill();
  expect(status).toBe(0);
  expect(record).toMatchObject({
    environment: 'dev',
    into: 'dev2',
    region: 'eu-west-1',
    outcome: 'passed',
    by: '111111111111:assumed-role/operator/ana',
    runs: 1,
    gaps: [],
    made: { bucket: '', prefixes: [], secret: null },
  });
  expect(record?.steps.map(({ step, done }) => `${step} ${done}`)).toEqual(
    ['check', 'deploy', 'key of erasures', 'copy', 'restore billing', 'restore main', 'clean up'].map(
      (s) => `${s} true`,
    ),
  );
  expect(record?.steps[3]?.detail).toMatch(/^7 of 7 objects copied/);
  // An hour of it is not measured by a drill into an environment that was there.
  expect(record?.rto).toMatchObject({ totalMinutes: 101, estimatedMinutes: { deploy: 50 } });
  expect(world.restores().map(({ name, request }) => [name, request])).toEqual(
    (['billing', 'main'] as const).map((database) => [
      'BillingOps-dev2-restore',
      {
        database,
        archive: world.there.planted[database].slot,
        manifestSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        targetDatabase: expect.stringMatching(new RegExp(`^${database}_region_drill_\\d{14}$`)) as string,
        afterwards: 'drop',
      },
    ]),
  );
  expect([[...new Set(seen)], world.secret.current]).toEqual([['{"key":"of dev"}'], 'own']);
  expect(await world.keysOf(world.successor)).toEqual([]);
  expect(await world.onRecord()).toEqual([record]);
  expect(stderr).toMatch(/^restore billing: 1 rows of .*, verified, 2 erased again, dropped \(/m);
});

test('a drill that was interrupted is continued, and takes back what both runs made', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  const first = await world.drill();
  expect([first.status, first.stderr]).toEqual([4, expect.stringMatching(/connection lost/)]);
  expect((await world.keysOf(world.successor)).length).toBe(7);
  expect(world.secret.values[world.secret.current]).toBe('{"key":"of dev"}');
  const [left] = await world.onRecord();
  expect(left).toMatchObject({ outcome: 'running', made: { bucket: world.successor, secret: { previous: 'own' } } });
  expect(left?.steps.at(-1)).toMatchObject({ step: 'restore billing', done: false });

  world.restoreAnswers();
  // What was confirmed is not asked again.
  const second = await world.drill('');
  expect(second.stderr).toMatch(/^Continuing the drill that 111111111111:assumed-role\/operator\/ana began/m);
  expect(second.record).toMatchObject({ outcome: 'passed', runs: 2, startedAt: left?.startedAt });
  expect(second.record?.steps.findLast(({ step }) => step === 'copy')?.detail).toMatch(/^0 of 7 objects copied/);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
  expect(secrets.commandCalls(PutSecretValueCommand)).toHaveLength(1);
});

test('a drill that is not continued is taken back', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  const { status, record } = await world.drill('--abandon --confirm dev2');
  expect([status, record?.outcome]).toEqual([0, 'abandoned']);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
  expect(await world.drill('--abandon --confirm dev2')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/No drill into dev2 was/),
  });
});

test('an environment whose key an operator has put there since keeps everything', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  world.secret = { values: { ...world.secret.values, theirs: '{}' }, current: 'theirs' };
  const copied = await world.keysOf(world.successor);
  expect(await world.drill('')).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/dev2 is in use since the drill/),
  });
  const { status, stderr } = await world.drill('--abandon --confirm dev2');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/dev2 is in use: arn:dev2-erasures has another value/)]);
  expect([world.secret.current, await world.keysOf(world.successor)]).toEqual(['theirs', copied]);
  expect((await world.onRecord()).map(({ outcome }) => outcome)).toEqual(['abandoned']);
});

test('an environment that is recovered to after a drill ended before its key keeps everything', async () => {
  secrets.on(GetSecretValueCommand, { SecretId: 'arn:dev2-erasures' }).rejectsOnce(new Error('connection lost'));
  expect((await world.drill()).status).toBe(4);
  expect(await world.onRecord()).toMatchObject([{ outcome: 'running', made: { secret: null } }]);
  expect((await world.drill('')).stderr).toMatch(/add --confirm dev2/);
  const Key = 'erasures/20261101T000000000Z-aa.json';
  await world.regions.s3.send(new PutObjectCommand({ Bucket: world.successor, Key, Body: '{}' }));
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([3, expect.stringContaining(`dev2 has s3://${world.successor}/${Key}`)]);
  expect(await world.drill('--abandon')).toMatchObject({ status: 0, record: { outcome: 'abandoned' } });
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[Key], 'own']);
});

test('an environment in which a person was erased since keeps everything', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  const Key = 'erasures/20991231T000000000Z-dd.json';
  await world.regions.s3.send(new PutObjectCommand({ Bucket: world.successor, Key, Body: '{}' }));
  const { status, stderr } = await world.drill('--abandon --confirm dev2');
  expect([status, stderr]).toEqual([
    3,
    expect.stringContaining(`s3://${world.successor}/${Key} is an erasure of its own`),
  ]);
  expect(await world.keysOf(world.successor)).toHaveLength(8);
});

test('an environment that is taken into use while the drill restores keeps everything', async () => {
  const Key = 'erasures/20991231T000000000Z-dd.json';
  lambda.on(InvokeCommand).callsFake(async (request: { Payload: string }) => {
    await world.regions.s3.send(new PutObjectCommand({ Bucket: world.successor, Key, Body: '{}' }));
    return world.answerOf(request);
  });
  const { status, stderr } = await world.drill();
  const reason = `dev2 is in use: s3://${world.successor}/${Key} is an erasure of its own. Close the drill with --abandon`;
  expect([status, stderr]).toEqual([3, expect.stringContaining(reason)]);
  expect(await world.keysOf(world.successor)).toHaveLength(8);
  expect(world.secret.values[world.secret.current]).toBe('{"key":"of dev"}');
  expect((await world.onRecord()).map(({ outcome }) => outcome)).toEqual(['running']);
});

test('a schema that came back otherwise is a gap, and the outcome of the drill', async () => {
  const reason = 'extension "pg_cron" is not available';
  world.restoreAnswers({ deviations: [{ object: 'EXTENSION pg_cron', consequence: 'missing', reason }] });
  const { status, record, stderr } = await world.drill();
  expect([status, record?.outcome]).toEqual([1, 'gaps']);
  expect(record?.gaps).toEqual(
    ['billing', 'main'].map((name) => ({
      check: `schema of ${name}`,
      state: 'wrong',
      detail: 'restored without, or otherwise than archived: EXTENSION pg_cron',
      fix: 'docs/runbook.md#restore-drill-findings says how to find the cause',
    })),
  );
  expect(stderr).toMatch(/^restore main: 1 rows of .*, another schema, 2 erased again, dropped \(/m);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[], 'own']);
});

test('what a drill left is not removed without the typed name', async () => {
  lambda.on(InvokeCommand).rejectsOnce(new Error('connection lost'));
  await world.drill();
  const { status, stderr } = await world.drill('--abandon');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/add --confirm dev2/)]);
  expect(await world.keysOf(world.successor)).toHaveLength(7);
});

test('a deployment that failed ends the drill, and names the stack', async () => {
  stacksAre({ ...DEPLOYED, 'BillingOps-dev2-Operations': 'ROLLBACK_COMPLETE' });
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([
    4,
    expect.stringMatching(/BillingOps-dev2-Operations is ROLLBACK_COMPLETE: npx cdk deploy -c env=dev2 says why/),
  ]);
});

test('an update that was rolled back before the drill leaves a stack that is there', async () => {
  stacksAre({ ...DEPLOYED, 'BillingOps-dev2-Data': 'UPDATE_ROLLBACK_COMPLETE' });
  const { record } = await world.drill();
  expect(record?.steps[1]?.detail).toBe('was deployed before, and not timed');
});

test('an update that is rolled back while the drill waits for it ends the drill', async () => {
  let looks = 0;
  cloudFormation.on(DescribeStacksCommand).callsFake(async ({ StackName }: { StackName?: string }) => {
    if (StackName === undefined) looks += 1;
    const status = looks > 1 ? 'UPDATE_ROLLBACK_COMPLETE' : 'UPDATE_IN_PROGRESS';
    return stacksOf({ ...DEPLOYED, 'BillingOps-dev2-Data': status });
  });
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([4, expect.stringMatching(/BillingOps-dev2-Data is UPDATE_ROLLBACK_COMPLETE/)]);
});

test('nothing is changed without the typed name', async () => {
  const { status, stderr } = await world.drill('');
  expect([status, stderr]).toEqual([3, expect.stringMatching(/add --confirm dev2/)]);
  expect([await world.keysOf(world.successor), world.secret.current, world.restores(), await world.onRecord()]).toEqual(
    [[], 'own', [], []],
  );
});

test.each([
  ['a ledger', 'erasures/20260101T000000000Z-cc.json'],
  ['the archive itself', () => world.there.planted.main.manifest],
])('an environment that has %s of its own is refused, and keeps it', async (_what, key) => {
  const Key = typeof key === 'string' ? key : key();
  await world.regions.s3.send(new PutObjectCommand({ Bucket: world.successor, Key, Body: '{}' }));
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([3, expect.stringContaining(`dev2 has s3://${world.successor}/${Key}`)]);
  expect([await world.keysOf(world.successor), world.secret.current]).toEqual([[Key], 'own']);
});

test('a gap that no restore needs does not stop the drill, and is its outcome', async () => {
  pointsAre([]);
  const { status, record } = await world.drill();
  expect([status, record?.outcome]).toEqual([1, 'gaps']);
  expect(record?.gaps.map(({ check }) => check)).toEqual(['recovery point of billing', 'recovery point of main']);
  expect(world.restores()).toHaveLength(2);
});

test('an old archive and a ledger that lacks an entry are gaps, and are restored all the same', async () => {
  const Key = 'erasures/20261101T010000000Z-bb.json';
  await world.regions.s3.send(new PutObjectCommand({ Bucket: world.there.first, Key, Body: '{}' }));
  // The clock alone: the commands wait for a server.
  jest.useFakeTimers({ now: Date.now() + 9 * 3_600_000, doNotFake: [...CLOCKS] });
  try {
    const { status, record } = await world.drill();
    expect([status, record?.outcome]).toEqual([1, 'gaps']);
    expect(record?.gaps.map(({ check }) => check)).toEqual(['archive of billing', 'ledger of erasures']);
    expect(record?.restored.map(({ archive }) => archive)).toEqual([
      world.there.planted.billing.slot,
      world.there.planted.main.slot,
    ]);
  } finally {
    jest.useRealTimers();
  }
});

test('without a whole archive of a database, nothing is changed', async () => {
  const Key = world.there.planted.main.manifest;
  await world.regions.s3.send(new DeleteObjectCommand({ Bucket: world.there.copies, Key }));
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([
    3,
    expect.stringMatching(/Nothing can be restored: archive of main: none is whole/),
  ]);
  expect([await world.keysOf(world.successor), world.restores()]).toEqual([[], []]);
});

test('where it is not known whether the key of the ledger is there, nothing is changed', async () => {
  secrets.on(ListSecretsCommand).rejects(Object.assign(new Error('no'), { name: 'AccessDeniedException' }));
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([3, expect.stringMatching(/Nothing can be restored: secrets: Not allowed to look/)]);
  expect([await world.keysOf(world.successor), await world.onRecord()]).toEqual([[], []]);
});

test('an archive that this environment did not sign is restored nowhere', async () => {
  await plantArchive(world.regions.s3, world.there.copies, 'main', new Date(Date.now() - 60_000), createManifestKey());
  const { status, stderr } = await world.drill();
  expect([status, stderr]).toEqual([3, expect.stringMatching(/Nothing can be restored: signature of main/)]);
  expect([await world.keysOf(world.successor), world.restores()]).toEqual([[], []]);
});

test('a drill whose environment is not deployed prints the command, and continues when it is', async () => {
  let looks = 0;
  cloudFormation.on(DescribeStacksCommand).callsFake(async ({ StackName }: { StackName?: string }) => {
    // The check asks for one stack.
    if (StackName === undefined) looks += 1;
    return stacksOf(looks > 1 ? DEPLOYED : { 'BillingOps-dev-Recovery': 'CREATE_COMPLETE' });
  });
  const { status, stderr, record } = await world.drill();
  expect(stderr).toMatch(/npx cdk deploy -c env=dev2 --all\nWaiting: BillingOps-dev2-Data is not there/);
  expect([status, record?.gaps, record?.steps[1]?.detail]).toEqual([0, [], 'deployed in eu-west-1']);
  expect(record?.rto?.estimatedMinutes).not.toHaveProperty('deploy');
});

test.each([
  ['region-loss drill --into dev', 2, /expected the environment in the second region/],
  ['region-loss drill --into dev2', 2, /--public-key is missing/],
])('"%s" is refused', async (line, status, message) => {
  const key = line.endsWith('dev2') ? [] : ['--public-key', world.regions.publicKey];
  const refused = await runOps([...line.split(' '), ...key, '--env', 'dev', '--without-audit']);
  expect([refused.status, refused.stderr]).toEqual([status, expect.stringMatching(message)]);
});
